"""What a study does once, before its first candidate: choose pairs, train a teacher."""

from __future__ import annotations

import json
from dataclasses import replace

from latency import LatencyOracle
from search.artifacts import WEIGHTS, write_bytes
from search.config import StudyConfig
from search.data.alignment import best_aligned
from search.errors import UserError
from search.networks import zoo_architecture
from search.training.published import teacher_recipe
from search.training.recipe import Recipe

from .data import open_pairs
from .directories import preparation_directory
from .estimate import estimate
from .job import DataSource, Failed, Job
from .observer import Observer
from .pool import LocalPool


def prepare_training(
    config: StudyConfig,
    data: DataSource,
    oracle: LatencyOracle,
    pool: LocalPool,
    observer: Observer,
) -> tuple[Recipe, DataSource]:
    """The study's recipe and data as every candidate gets them.

    Pairs that the recipe does not keep are left out, its teacher is trained and has a file. Both
    are made once; a resumed study finds them. Raises UserError where the teacher cannot be trained.
    """
    recipe = config.training
    if recipe.keep_pairs < 1:
        data = replace(data, kept=_kept_pairs(config, data, observer))
        recipe = recipe.model_copy(update={"keep_pairs": 1.0})
    if recipe.teacher is not None and recipe.teacher.weights is None:
        _train_teacher(config, recipe, data, oracle, pool, observer)
        weights = str(preparation_directory(config, "teacher") / WEIGHTS)
        teacher = recipe.teacher.model_copy(update={"weights": weights})
        recipe = recipe.model_copy(update={"teacher": teacher})
    return recipe, data


def _kept_pairs(config: StudyConfig, data: DataSource, observer: Observer) -> tuple[int, ...]:
    path = preparation_directory(config, "pairs") / "kept.json"
    source = open_pairs(data, "train")
    settings = {"share": config.training.keep_pairs, "pairs": len(source)}
    try:
        stored = json.loads(path.read_text())
        if stored["of"] == settings:
            return tuple(stored["kept"])
    except (OSError, ValueError, KeyError):
        pass  # Not there, or of data that have changed.
    kept = best_aligned(
        source,
        config.training.keep_pairs,
        lambda done: observer.stage("Aligning pairs", done, len(source)),
    )
    write_bytes(path, json.dumps({"of": settings, "kept": kept}).encode())
    return tuple(kept)


def _train_teacher(
    config: StudyConfig,
    recipe: Recipe,
    data: DataSource,
    oracle: LatencyOracle,
    pool: LocalPool,
    observer: Observer,
) -> None:
    assert recipe.teacher is not None
    directory = preparation_directory(config, "teacher")
    if (directory / WEIGHTS).exists():
        return
    system = recipe.teacher.system
    architecture = zoo_architecture(system)
    title = f"Teacher {system}"
    observer.stage(title, 0, 1)
    job = Job(
        title,
        architecture,
        teacher_recipe(recipe),
        data,
        config.seed,
        directory,
        threads=pool.all_threads,
    )
    pool.start(job)
    observer.started(title, estimate(architecture, config.task_facts, oracle))
    (event,) = pool.wait()
    if isinstance(event, Failed):
        raise UserError(f"the teacher {system} could not be trained: {event.reason}")
    observer.stage(title, 1, 1)

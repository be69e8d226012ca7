"""What a study does once, before its first candidate: choose pairs, train a teacher."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from search.artifacts import WEIGHTS, write_bytes
from search.data.alignment import best_aligned
from search.errors import UserError
from search.networks import zoo_architecture
from search.training.checkpoint import CHECKPOINT, remove_checkpoint
from search.training.published import teacher_recipe
from search.training.reuse.recipe import SuperNetwork

from .data import open_pairs
from .directories import preparation_directory
from .donors import super_network_file
from .job import DataSource, Failed, Job, Retried, Rung, SuperNetworkJob
from .limits import Limits
from .observer import Observer
from .retrying import warn_of
from .run import StudyRun

KEPT = "kept.json"
"""Which pairs a recipe keeps."""
REPORTED_EVERY = 100
"""Steps of a super-network."""


def prepare_training(run: StudyRun) -> StudyRun:
    """The run with its recipe and data as every candidate gets them.

    Pairs that the recipe does not keep are left out, its teacher is trained and has a file, and so
    has the super-network. All are made once; a resumed study finds them. Raises UserError where one
    cannot be trained.
    """
    if run.recipe.keep_pairs < 1:
        path = preparation_directory(run.config, "pairs") / KEPT
        pairs = kept_pairs(path, run.data, run.recipe.keep_pairs, run.observer)
        kept = replace(run.data, kept=pairs)
        run = replace(run, data=kept, recipe=run.recipe.model_copy(update={"keep_pairs": 1.0}))
    teacher = run.recipe.teacher
    if teacher is not None and teacher.weights is None:
        _train_teacher(run, teacher.system)
        weights = str(preparation_directory(run.config, "teacher") / WEIGHTS)
        taught = {"teacher": teacher.model_copy(update={"weights": weights})}
        run = replace(run, recipe=run.recipe.model_copy(update=taught))
    if isinstance(run.config.reuse, SuperNetwork):
        _train_super_network(run, run.config.reuse)
    return run


def kept_pairs(path: Path, data: DataSource, share: float, observer: Observer) -> tuple[int, ...]:
    """Which training pairs a recipe keeps that keeps this `share`; `path` remembers them."""
    source = open_pairs(data, "train")
    settings = {"share": share, "pairs": len(source)}
    try:
        stored = json.loads(path.read_text())
        if stored["of"] == settings:
            return tuple(stored["kept"])
    except (OSError, ValueError, KeyError):
        pass  # Not there, or of data that have changed.

    def tell(done: int) -> None:
        observer.stage("Aligning pairs", done, len(source))

    kept = best_aligned(source, share, tell)
    write_bytes(path, json.dumps({"of": settings, "kept": kept}).encode())
    return tuple(kept)


def _train_teacher(run: StudyRun, system: str) -> None:
    directory = preparation_directory(run.config, "teacher")
    if (directory / WEIGHTS).exists():
        return
    architecture, title = zoo_architecture(system), f"Teacher {system}"
    checkpoint = directory / CHECKPOINT
    run.observer.stage(title, 0, 1)
    job = Job(
        title,
        architecture,
        teacher_recipe(run.recipe),
        run.data,
        run.config.seed,
        directory,
        threads=run.pool.all_threads,
        limits=_untimed(run),
        checkpoint=checkpoint,
    )
    run.pool.start(job)
    run.observer.started(title, run.estimate(architecture))
    _finish(run, title, f"teacher {system}", 1)
    remove_checkpoint(checkpoint)


def _train_super_network(run: StudyRun, settings: SuperNetwork) -> None:
    path = super_network_file(run.config).path
    if path.exists():
        return
    title, steps = "Super-network", settings.steps
    job = SuperNetworkJob(
        title,
        run.context.space,
        settings,
        run.recipe,
        run.data,
        run.config.seed,
        path,
        rungs=tuple(range(REPORTED_EVERY, steps, REPORTED_EVERY)),
        threads=run.pool.all_threads,
        limits=_untimed(run),
    )
    run.observer.stage(title, 0, steps)
    run.pool.start(job)
    _finish(run, title, "super-network", steps)


def _untimed(run: StudyRun) -> Limits:
    """The study's limits, of which the minutes are a trial's."""
    return run.config.limits.model_copy(update={"minutes": None})


def _finish(run: StudyRun, title: str, what: str, steps: int) -> None:
    """Wait for the only job that is running; the stage `title` has as many `steps` as it."""
    while True:
        (event,) = run.pool.wait()
        if isinstance(event, Rung):
            run.observer.stage(title, event.step, steps)
            run.pool.answer(event.key, keep_going=True)
        elif isinstance(event, Retried):
            warn_of(event, run.observer)
        elif isinstance(event, Failed):
            raise UserError(f"the {what} could not be trained: {event.reason}")
        else:
            run.observer.stage(title, steps, steps)
            return

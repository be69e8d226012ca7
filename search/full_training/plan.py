"""What a full training is of, and where it is kept: decided and checked without TensorFlow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config import StudyConfig, parse_recipe, read_document
from search.errors import UserError
from search.study.directories import trained_directory
from search.study.results import StudyResults
from search.training.recipe import Recipe
from spaces.architecture import Architecture

LONGER = 10
"""A full training has so many times the steps of the longest that its study has."""


@dataclass(frozen=True)
class TrainingPlan:
    """Train `architecture` by `recipe` from `seed` on the data of the study `config`.

    `origin`: where it comes from, such as "trial 12". The result goes to `directory`.
    """

    config: StudyConfig
    architecture: Architecture
    origin: str
    recipe: Recipe
    seed: int
    directory: Path

    @property
    def identity(self) -> dict[str, Any]:
        """All that the user decided of the result, for JSON."""
        return _identity(self.config, self.architecture, self.recipe, self.seed)


@dataclass(frozen=True)
class Wishes:
    """What the command line says; None where it is silent.

    `trial`: default the winner. `recipe`: a file of settings that replace those of the study's
    `training`. `teacher`: a published system.
    """

    trial: int | None = None
    recipe: Path | None = None
    steps: int | None = None
    seed: int | None = None
    teacher: str | None = None
    precision: str | None = None
    directory: Path | None = None


def planned(results: StudyResults, wishes: Wishes) -> TrainingPlan:
    """The training that is wished for. Raises UserError for everything that cannot be."""
    config = results.config
    architecture = chosen_architecture(results, wishes.trial)
    recipe = full_recipe(config, wishes)
    seed = config.seed if wishes.seed is None else wishes.seed
    if not 0 <= seed < 2**31:
        raise UserError(f"--seed {seed}: seeds are 0 to {2**31 - 1}")
    origin = _origin(results, architecture, wishes.trial)
    digest = _digest(_identity(config, architecture, recipe, seed))
    name = f"{origin.replace(' ', '-')}-{digest[:8]}"
    directory = wishes.directory or trained_directory(config, name)
    return TrainingPlan(config, architecture, origin, recipe, seed, directory)


def chosen_architecture(results: StudyResults, trial: int | None) -> Architecture:
    """That of a trial, whatever became of it, or the winner's. Raises UserError for none."""
    name = results.config.name
    if trial is None:
        if results.winner is None:
            raise UserError(f"study {name} has no complete trial to train yet: give --trial")
        return results.winner
    record = results.trial(trial)
    if record is None:
        raise UserError(f"study {name} has no trial {trial}")
    if record.architecture is None:
        raise UserError(f"trial {trial} of study {name} is {record.status}: it has no network yet")
    return record.architecture


def _origin(results: StudyResults, architecture: Architecture, trial: int | None) -> str:
    """As the study calls the network, or its trial where that has not been trained.

    A trial has the same name before and after, and so the training's folder.
    """
    origin = results.origin(architecture)
    unknown = origin == architecture.digest and trial is not None
    return f"trial {trial}" if unknown else origin


def full_recipe(config: StudyConfig, wishes: Wishes) -> Recipe:
    """The study's recipe, longer, and with what was wished for in its place.

    Raises UserError for settings that cannot be.
    """
    told: dict[Any, Any] = {}
    if wishes.recipe is not None:
        told = read_document(wishes.recipe, "recipe file")
    teacher = None if wishes.teacher is None else {"system": wishes.teacher}
    options = {"steps": wishes.steps, "teacher": teacher, "precision": wishes.precision}
    given = {name: value for name, value in options.items() if value is not None}
    own = config.training.model_dump(mode="json")
    document = own | {"steps": default_steps(config)} | told | given
    steps = document["steps"]
    if "warmup_steps" not in told and isinstance(steps, int):
        document["warmup_steps"] = min(own["warmup_steps"], max(steps, 0) // 10)
    sources = [str(wishes.recipe)] if told else []
    sources += [f"--{name}" for name in given]
    return parse_recipe(document, ", ".join(sources) or "training", config.task_facts)


def default_steps(config: StudyConfig) -> int:
    """Of a full training of which nobody said how long it is."""
    finals = 0 if config.finals is None else config.finals.steps
    return LONGER * max(config.training.steps, finals)


def _identity(
    config: StudyConfig, architecture: Architecture, recipe: Recipe, seed: int
) -> dict[str, Any]:
    return {
        "study": config.name,
        "architecture": json.loads(architecture.to_json()),
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
        "data": config.data.model_dump(mode="json", exclude={"root"}),
    }


def _digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

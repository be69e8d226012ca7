"""What is exported: found and checked without TensorFlow, so that mistakes are named at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from search.artifacts import WEIGHTS, load_weights
from search.errors import UserError
from search.full_training.record import RECORD, read_record
from search.study.directories import final_directory, trial_directory
from search.study.results import StudyResults
from search.training.recipe import Recipe
from spaces.architecture import Architecture


@dataclass(frozen=True)
class Trained:
    """The weights that are exported and where they come from. `sha256`: of their file, if known."""

    architecture: Architecture
    directory: Path
    origin: str
    psnr_db: float
    steps: int
    seed: int
    sha256: str | None = None


def trained_weights(results: StudyResults, trial: int | None) -> Trained:
    """The best run of the winner's finals, or of `trial`'s where it was in them, else the trial."""
    config = results.config
    if trial is None:
        architecture = results.winner
        if architecture is None:
            raise UserError(f"study {config.name} has no complete trial to export yet")
    else:
        record = results.trial(trial)
        if record is None or record.status != "complete" or record.architecture is None:
            status = record.status if record else "not there"
            raise UserError(f"trial {trial} of study {config.name} is {status}: nothing to export")
        architecture = record.architecture
    origin = results.origin(architecture)
    runs = [r for r in results.finals if r.architecture == architecture]
    if runs:
        run = max(runs, key=lambda r: r.psnr_db)
        directory = final_directory(config, architecture, run.seed, run.steps)
        source = Trained(
            architecture, directory, origin, run.psnr_db, run.steps, run.seed, run.weights_sha256
        )
    else:
        found = next(
            t for t in results.complete if t.architecture == architecture and t.psnr_db is not None
        )
        assert found.psnr_db is not None
        directory = trial_directory(config, found.number)
        steps = config.training.steps
        source = Trained(
            architecture, directory, origin, found.psnr_db, steps, config.seed, found.weights_sha256
        )
    return source


def fully_trained(results: StudyResults, folder: Path) -> tuple[StudyResults, Trained]:
    """The weights in a folder of `lensnas train`, and the study with the recipe they were trained
    by as its own. Raises UserError for a folder without any, or of another study."""
    record = read_record(folder)
    if record is None or record.result is None:
        state = "holds no training of 'lensnas train'" if record is None else "is not trained yet"
        raise UserError(f"{folder} {state}: nothing to export")
    wanted, config, result = record.wanted, results.config, record.result
    if wanted.get("study") != config.name:
        raise UserError(f"{folder} is a training of study {wanted.get('study')}, not {config.name}")
    try:
        recipe = Recipe.model_validate(wanted["recipe"])
        architecture = Architecture.from_json(json.dumps(wanted["architecture"]))
        seed = int(wanted["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder / RECORD} is damaged: {error}") from None
    source = Trained(
        architecture, folder, record.origin, result.psnr_db, recipe.steps, seed,
        result.weights_sha256,
    )  # fmt: skip
    return replace(results, config=config.model_copy(update={"training": recipe})), source


def read_weights(source: Trained) -> list[np.ndarray]:
    """The weights in the model's order. Raises UserError where they are gone or damaged."""
    path = source.directory / WEIGHTS
    try:
        return load_weights(source.directory, source.sha256)
    except FileNotFoundError:
        raise UserError(f"the weights of {source.origin} are gone: {path} is missing") from None
    except (OSError, ValueError) as error:
        raise UserError(f"the weights of {source.origin} are damaged: {path}: {error}") from None

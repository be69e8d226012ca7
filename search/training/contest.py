"""One published system trained within a budget; what a leaderboard runs in a child process."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from search.data.pairs import PreparedPairs
from search.errors import UserError
from search.leaderboard import FEWEST_STEPS, Budget
from spaces.ops.keras_backend import Network
from spaces.zoo import ZOO, ZooSystem

from .data import TrainingData, Validation, training_data
from .loop import Outcome, TrainingDivergedError, train
from .lpips import mean_lpips
from .published import left_out, system_recipe
from .recipe import Recipe
from .teaching import make_teacher

_TIMED_STEPS, _TIMED_SECONDS = 6, 1.0
"""Steps that are timed at least, and for how long: shared machines stall for tenths of a second."""


def run(
    name: str,
    budget: Budget,
    perceptual_weights: dict[str, str],
    data: Path,
    lpips: Path | None = None,
) -> dict[str, Any]:
    """Steps, milliseconds a step, PSNR and SSIM of system `name`, or the problem it had.

    With a file of its weights, LPIPS too.
    """
    system = ZOO[name]
    recipe = system_recipe(system, perceptual_weights)
    found: dict[str, Any] = {"left_out": tuple(left_out(system, perceptual_weights))}
    splits = PreparedPairs(data, "train"), PreparedPairs(data, "val")
    seen = training_data(*splits, system.input_shape[2])
    try:
        steps = budget.steps
        if steps is None:
            step_ms = _step_ms(system, recipe, seen, budget.seed)
            steps = int(1000 * (budget.seconds or 0) / step_ms)
            found |= {"step_ms": step_ms}
            if steps < FEWEST_STEPS:
                return found | {"steps": steps, "problem": f"{steps} steps within the budget"}
        model, outcome = _trained(system, recipe.shortened(steps), seen, budget.seed)
        found |= {"steps": steps, "psnr_db": outcome.psnr_db, "ssim": outcome.ssim}
        if lpips is not None:
            found["lpips"] = mean_lpips(model, seen.validation, lpips)
    except (TrainingDivergedError, UserError) as error:
        found["problem"] = str(error)
    return found


def _trained(
    system: ZooSystem, recipe: Recipe, data: TrainingData, seed: int
) -> tuple[Network, Outcome]:
    """From scratch; a teacher, where there is one, is trained first."""
    teacher = make_teacher(recipe, data, seed=seed)
    keras.utils.set_random_seed(seed)
    model = Network(system.network, system.input_shape[2])
    return model, train(model, recipe, data, seed=seed, teacher=teacher)


def _step_ms(system: ZooSystem, recipe: Recipe, data: TrainingData, seed: int) -> float:
    """Mean over steps of a run that is thrown away, with a teacher that knows nothing."""
    stages = max(1, len(recipe.stages))
    changes: dict[str, Any] = {"keep_pairs": 1.0}
    if recipe.teacher is not None:
        changes["teacher"] = recipe.teacher.model_copy(update={"steps": 1})
    one = Validation(data.validation.inputs[:1], data.validation.targets[:1])
    data = replace(data, validation=one)
    steps = _TIMED_STEPS * stages
    while True:
        few = recipe.shortened(steps).model_copy(update=changes)
        seconds = _trained(system, few, data, seed)[1].seconds["steps"]
        # The first step of a stage compiles it and is not counted.
        step_seconds = seconds / (steps - stages)
        if seconds >= _TIMED_SECONDS:
            return 1000 * step_seconds
        steps = stages + math.ceil(1.5 * _TIMED_SECONDS / step_seconds)

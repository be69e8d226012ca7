"""One published system trained within a budget; what a leaderboard runs in a child process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from search.data.pairs import PreparedPairs
from search.errors import UserError
from search.leaderboard import FEWEST_STEPS, Budget
from search.networks import candidate, zoo_architecture
from spaces.ops.keras_backend import Network
from spaces.zoo import ZOO, ZooSystem

from .data import TrainingData, Validation, training_data
from .loop import Outcome, TrainingDivergedError, train
from .published import left_out, system_recipe
from .recipe import Recipe
from .teaching import make_teacher

_TIMED_STEPS = 6


def run(
    name: str, budget: Budget, perceptual_weights: dict[str, str], data: Path
) -> dict[str, Any]:
    """Steps, milliseconds a step, PSNR and SSIM of system `name`, or the problem it had."""
    system = ZOO[name]
    missing = tuple(left_out(system, perceptual_weights))
    recipe = system_recipe(system, perceptual_weights)
    contest = _Contest(system, data, budget.seed)
    found: dict[str, Any] = {"left_out": missing}
    try:
        steps = budget.steps
        if steps is None:
            step_ms = contest.step_ms(recipe)
            steps = int(1000 * (budget.seconds or 0) / step_ms)
            found |= {"step_ms": step_ms}
            if steps < FEWEST_STEPS:
                return found | {"steps": steps, "problem": f"{steps} steps within the budget"}
        outcome = contest.train(recipe.shortened(steps))
        found |= {"steps": steps, "psnr_db": outcome.psnr_db, "ssim": outcome.ssim}
    except (TrainingDivergedError, UserError) as error:
        found["problem"] = str(error)
    return found


class _Contest:
    """Trains `system` on the pairs in `data`, from scratch every time."""

    def __init__(self, system: ZooSystem, data: Path, seed: int) -> None:
        self.seed = seed
        self.network = candidate(zoo_architecture(system.name))
        splits = PreparedPairs(data, "train"), PreparedPairs(data, "val")
        self.data = training_data(*splits, self.network.input_channels)

    def train(self, recipe: Recipe, data: TrainingData | None = None) -> Outcome:
        """A teacher, where there is one, is trained first."""
        data = data or self.data
        teacher = make_teacher(recipe, data, seed=self.seed)
        keras.utils.set_random_seed(self.seed)
        model = Network(self.network.network, self.network.input_channels)
        return train(model, recipe, data, seed=self.seed, teacher=teacher)

    def step_ms(self, recipe: Recipe) -> float:
        """Mean over some steps of a run that is thrown away, with a teacher that knows nothing."""
        stages = max(1, len(recipe.stages))
        changes: dict[str, Any] = {"keep_pairs": 1.0}
        if recipe.teacher is not None:
            changes["teacher"] = recipe.teacher.model_copy(update={"steps": 1})
        few = recipe.shortened(_TIMED_STEPS * stages).model_copy(update=changes)
        one = Validation(self.data.validation.inputs[:1], self.data.validation.targets[:1])
        # The first step of a stage compiles it and is not counted.
        return (
            1000
            * self.train(few, replace(self.data, validation=one)).seconds["steps"]
            / (few.steps - stages)
        )

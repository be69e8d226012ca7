"""One published system trained within a budget; what a leaderboard runs in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from search.data.batches import validation_arrays
from search.data.pairs import PreparedPairs, encoder_for, for_channels
from search.errors import UserError
from search.leaderboard import FEWEST_STEPS, Budget
from search.networks import candidate, zoo_architecture
from spaces.ops.keras_backend import Network
from spaces.zoo import ZOO, ZooSystem

from .loop import Outcome, TrainingDivergedError, Validation, train
from .lpips import mean_lpips
from .published import left_out, system_recipe
from .recipe import Recipe
from .teaching import make_teacher

_TIMED_STEPS = 6


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
        if lpips is not None:
            found["lpips"] = mean_lpips(contest.trained, contest.validation, lpips)
    except (TrainingDivergedError, UserError) as error:
        found["problem"] = str(error)
    return found


class _Contest:
    """Trains `system` on the pairs in `data`, from scratch every time. `trained`: the last one."""

    trained: Network

    def __init__(self, system: ZooSystem, data: Path, seed: int) -> None:
        self.seed = seed
        self.network = candidate(zoo_architecture(system.name))
        self.pairs = PreparedPairs(data, "train")
        held_out = PreparedPairs(data, "val")
        encode = encoder_for(self.pairs.meta)
        self.encode = for_channels(encode, self.pairs.meta, self.network.input_channels)
        self.validation = Validation(*validation_arrays(held_out, self.encode))

    def train(self, recipe: Recipe, validation: Validation | None = None) -> Outcome:
        """A teacher, where there is one, is trained first."""
        common = self.pairs, self.encode, validation or self.validation
        teacher = make_teacher(recipe, *common, seed=self.seed)
        keras.utils.set_random_seed(self.seed)
        self.trained = model = Network(self.network.network, self.network.input_channels)
        return train(model, recipe, *common, seed=self.seed, teacher=teacher)

    def step_ms(self, recipe: Recipe) -> float:
        """Mean over some steps of a run that is thrown away, with a teacher that knows nothing."""
        stages = max(1, len(recipe.stages))
        changes: dict[str, Any] = {"keep_pairs": 1.0}
        if recipe.teacher is not None:
            changes["teacher"] = recipe.teacher.model_copy(update={"steps": 1})
        few = recipe.shortened(_TIMED_STEPS * stages).model_copy(update=changes)
        one = Validation(self.validation.inputs[:1], self.validation.targets[:1])
        # The first step of a stage compiles it and is not counted.
        return 1000 * self.train(few, one).seconds["steps"] / (few.steps - stages)

"""`Subject`: an untrained network, and what proxies may look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from search.networks import Candidate
from search.training.data import TrainingData, plain_crops
from search.training.loop import train
from search.training.recipe import Recipe
from spaces.ops.keras_backend import Network

CROPS = 16
"""That gradients and switching are measured on."""


@dataclass(frozen=True)
class Subject:
    """A `model` whose weights are drawn, about to be trained on `data` by `recipe` from `seed`.

    `teacher`: trained, where the recipe has one.
    """

    model: Network
    network: Candidate
    recipe: Recipe
    data: TrainingData
    seed: int
    teacher: Network | None = None

    @cached_property
    def crops(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs [16, h, w, C] as the network takes them, and targets [16, H, W, 3] in [0, 1]."""
        return plain_crops(self.recipe, self.data, CROPS, seed=self.seed)

    @cached_property
    def begun_db(self) -> float:
        """Begin the training, which solves the output layers: PSNR in dB before the first step.

        It is what a rung at 0 would show. The model stays as it is then.
        """
        outcome = train(
            self.model,
            self.recipe,
            self.data,
            seed=self.seed,
            residual=self.network.residual,
            tone=self.network.tone,
            teacher=self.teacher,
            rungs=(0,),
            keep_going=lambda step, psnr_db: False,
        )
        return outcome.curve[0][1]


def log2_or_infinite(value: float) -> float:
    """log2, minus infinity of zero."""
    return math.log2(value) if value > 0 else -math.inf if value == 0 else math.nan

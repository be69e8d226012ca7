"""Adam with weight averaging, and learning rates by the size of what a weight sums over."""

from __future__ import annotations

import math
from typing import Any

import keras

from .recipe import Recipe
from .schedule import Schedule, learning_rates


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """By the recipe's schedule, with gradient clipping and weight averaging."""
    averaging = (
        {"use_ema": True, "ema_momentum": recipe.ema_momentum} if recipe.ema_momentum else {}
    )
    return FanInAdam(
        recipe.full_rate_inputs,
        Schedule(learning_rates(recipe)),
        global_clipnorm=recipe.clip_norm,
        weight_decay=recipe.weight_decay or None,
        **averaging,
    )


class FanInAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Kernels that sum over more than `full_rate_inputs` learn in proportion more slowly.

    A step of Adam moves every weight by the learning rate, so an output by that times the
    inputs it sums over: what is right for a narrow layer shakes a wide one. Yang et al., "Tensor
    Programs V", 2021, table 3 (muP: Adam's rate goes with 1 / fan-in). None: all rates alike.
    """

    def __init__(self, full_rate_inputs: int | None, learning_rate: Any, **settings: Any) -> None:
        super().__init__(learning_rate, **settings)
        self._full_rate_inputs = full_rate_inputs

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """See `keras.optimizers.Optimizer`."""
        share = rate_share(tuple(variable.shape), self._full_rate_inputs)
        super().update_step(gradient, variable, learning_rate * share)


def rate_share(shape: tuple[int, ...], full_rate_inputs: int | None) -> float:
    """Of the learning rate, 0 to 1, for a variable of this shape; 1 for all that is no kernel.

    A kernel [kh, kw, inputs, outputs] sums over kh * kw * inputs, a depthwise one, known by its
    [kh, kw, channels, 1], over kh * kw.
    """
    if full_rate_inputs is None or len(shape) != 4:
        return 1.0
    summed = math.prod(shape[:2] if shape[3] == 1 else shape[:3])
    return min(1.0, full_rate_inputs / summed)

"""Learning-rate schedules, all over a recipe's whole number of steps, and its stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .recipe import Recipe, Stage

RESTARTS = 3
"""Cycles of "restarts", each twice as long as the one before: SYENet's 50, 100 and 200 epochs."""
FLOOR = 1e-4
"""A cycle of "restarts" ends at this share of the learning rate, as SYENet's 1e-7 of 1e-3."""


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate for every step, looked up."""

    def __init__(self, rates: np.ndarray) -> None:
        self.rates = tf.constant(rates, tf.float32)

    def __call__(self, step: Any) -> Any:
        """The rate of `step`, counted from 0."""
        return tf.gather(self.rates, tf.minimum(tf.cast(step, tf.int32), len(self.rates) - 1))

    def get_config(self) -> dict[str, Any]:
        """For Keras."""
        return {"rates": self.rates.numpy()}


def learning_rates(recipe: Recipe) -> np.ndarray:
    """The rate of each step [steps]: linear warm-up, then the recipe's schedule; times the
    factor of the stage in which the step lies."""
    warmup, steps = recipe.warmup_steps, recipe.steps
    progress = np.arange(steps - warmup) / max(1, steps - warmup)
    start = recipe.learning_rate / max(1, warmup)
    rising = np.linspace(start, recipe.learning_rate, warmup, endpoint=False)
    rates = np.concatenate([rising, recipe.learning_rate * _shape(recipe, progress)])
    for stage, span in zip(recipe.stages, spans(recipe.stages, steps), strict=True):
        rates[span.start : span.stop] *= stage.learning_rate_factor
    return rates


def _shape(recipe: Recipe, progress: np.ndarray) -> np.ndarray:
    """Share of the full rate at each `progress` in 0..1."""
    if recipe.schedule == "cosine":
        return _cosine(progress)
    if recipe.schedule == "steps":
        return np.asarray(0.5 ** np.floor(progress * (recipe.halvings + 1)))
    if recipe.schedule == "restarts":
        ends = np.cumsum(2.0 ** np.arange(RESTARTS)) / (2**RESTARTS - 1)
        begins = np.concatenate([[0.0], ends[:-1]])
        cycle = np.minimum(np.searchsorted(ends, progress, side="right"), RESTARTS - 1)
        within = (progress - begins[cycle]) / (ends - begins)[cycle]
        return FLOOR + (1 - FLOOR) * _cosine(within)
    return np.ones_like(progress)


def _cosine(progress: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.cos(np.pi * progress)))


def spans(stages: Sequence[Stage], steps: int) -> list[range]:
    """The steps of each stage, counted from 0: by their shares, at least one each."""
    if not stages:
        return []
    ends = np.cumsum([stage.share for stage in stages])
    borders = [round(steps * end / ends[-1]) for end in ends]
    # Late stages push early ones aside, and early ones late ones, until each has a step.
    for index in range(len(borders)):
        lowest, highest = index + 1, steps - (len(borders) - 1 - index)
        borders[index] = min(max(borders[index], lowest), highest)
    for index in range(1, len(borders)):
        borders[index] = max(borders[index], borders[index - 1] + 1)
    return [range(a, b) for a, b in zip([0, *borders[:-1]], borders, strict=True)]

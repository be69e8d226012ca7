"""Architectures that differ in their sizes alone: depth, width, kernel, attention.

These are what networks that share weights can have different; anything else (down-sampling, kind of
block, activation) makes other layers of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .architecture import Architecture, Value
from .space import Choice, SearchSpace, draw
from .unet import family

FIXED = ("packing",)
"""Numbers that are no sizes: a network of another resolution has other layers."""

Pick = Callable[[Sequence[Value]], Value]


def draw_largest(space: SearchSpace, rng: np.random.Generator) -> Architecture:
    """A random architecture with the largest of every size."""

    return space.complete(lambda choice: _sizes(choice, draw(choice.values, rng))[-1])


def smallest(space: SearchSpace, largest: Architecture) -> Architecture:
    """What `largest` is with the smallest of every size."""
    return _resized(space, largest, lambda sizes: sizes[0])


def draw_between(
    space: SearchSpace, largest: Architecture, rng: np.random.Generator
) -> Architecture:
    """What `largest` is with random sizes."""
    return _resized(space, largest, lambda sizes: draw(sizes, rng))


def _resized(space: SearchSpace, largest: Architecture, pick: Pick) -> Architecture:
    chosen = largest.choices
    return space.complete(lambda choice: pick(_sizes(choice, chosen[choice.name])))


def _sizes(choice: Choice, value: Value) -> list[Value]:
    """The values that differ from `value` in size alone, in ascending order; `value` too."""
    if choice.name in FIXED:
        return [value]
    if isinstance(value, str):
        alike = [v for v in choice.values if family(str(v)) == family(value)]
        return sorted(alike, key=lambda v: int("0" + str(v)[len(family(str(v))) :]))
    return sorted(v for v in choice.values if not isinstance(v, str))

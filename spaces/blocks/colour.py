"""Colour operations at the end of an ISP: gains, gamma, tone curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spaces.registry import Registry

Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Tone:
    """What is done to each value of an image, those below 0 being black.

    `apply(ops, x) -> y`; `undo(y) -> x` for y in 0..1, with which training starts the layers
    before it.
    """

    apply: Callable[[Any, Any], Any]
    undo: Callable[[Array], Array]


TONE: Registry[Tone] = Registry("tone operation")
"""The last is the end of JMU-CVLab's network."""


def colour_gains(ops: Any, features: Any, channels: int = 3, *, hidden: int = 16) -> Any:
    """A gain in 0..1 for each of `channels` from the means of `features`: [1, 1, 1, channels].

    rainbow's "RGB gain module", Mobile AI 2022, for white balance and brightness: global mean
    and three fully connected layers; sizes and the sigmoid are assumed. Compute them before the
    image that they multiply: the delegate fuses the product into what comes last.
    """
    gains = ops.global_average(features)
    for _ in range(2):
        gains = ops.activation(ops.conv(gains, hidden, 1, init="random"), "relu")
    return ops.activation(ops.conv(gains, channels, 1, init="random"), "sigmoid")


def gamma(ops: Any, x: Any, exponent: float = 1 / 2.2) -> Any:
    """x ** `exponent` of a non-negative x; finite slope at zero."""
    return ops.power(ops.shift(x, 1e-8), exponent)


def tone_curve(ops: Any, x: Any) -> Any:
    """3 x**2 - 2 x**3: an S over 0..1, as in JMU-CVLab's released file."""
    return ops.tone_curve(x)


def undo_gamma(y: Array) -> Array:
    """The image in 0..1 of which gamma makes `y`."""
    x: Array = np.power(y, np.float32(2.2))
    return x


def undo_tone_curve(y: Array) -> Array:
    """The image in 0..1 of which the tone curve makes `y`."""
    x: Array = 0.5 - np.sin(np.arcsin(1.0 - 2.0 * y) / 3.0)
    return x


# ReLU first: a gamma's slope grows towards zero, where that of ReLU ends, and both stay finite.
# The tone curve falls above 1, so gradients lead back to 1 from there.


def _gamma(ops: Any, x: Any) -> Any:
    return gamma(ops, ops.activation(x, "relu"))


def _tone_curve(ops: Any, x: Any) -> Any:
    return tone_curve(ops, ops.activation(x, "relu"))


def _gamma_tone(ops: Any, x: Any) -> Any:
    return tone_curve(ops, _gamma(ops, x))


TONE.add("none", Tone(lambda ops, x: x, lambda y: y))
TONE.add("gamma", Tone(_gamma, undo_gamma))
TONE.add("tone_curve", Tone(_tone_curve, undo_tone_curve))
TONE.add("gamma_tone", Tone(_gamma_tone, lambda y: undo_gamma(undo_tone_curve(y))))

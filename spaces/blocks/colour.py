"""Colour operations at the end of an ISP: gains, gamma, tone curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.registry import Registry

Tone = Callable[[Any, Any], Any]
"""(ops, x) -> y of the same shape, each value by itself"""

TONE: Registry[Tone] = Registry("tone operation")
"""Of an image in which what is below 0 is black."""


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
    square = ops.scale(ops.multiply(x, x), 3.0)
    return ops.subtract(square, ops.scale(ops.power(x, 3.0), 2.0))


@TONE.register("none")
def none(ops: Any, x: Any) -> Any:
    """The image itself."""
    return x


# The slope of a gamma grows towards zero, that of ReLU below it is zero: their product is finite.


@TONE.register("gamma")
def black_to_gamma(ops: Any, x: Any) -> Any:
    """ReLU, then gamma."""
    return gamma(ops, ops.activation(x, "relu"))


@TONE.register("tone_curve")
def black_to_tone_curve(ops: Any, x: Any) -> Any:
    """ReLU, then the tone curve. It falls above 1, so gradients lead back to 1 from there."""
    return tone_curve(ops, ops.activation(x, "relu"))


@TONE.register("gamma_tone")
def gamma_and_tone_curve(ops: Any, x: Any) -> Any:
    """ReLU, gamma, then the tone curve: the end of JMU-CVLab's network."""
    return tone_curve(ops, black_to_gamma(ops, x))

"""The patch loss of SYENet: the printed one, one that works, and what its authors ship.

Gou et al., ICCV 2023; Mobile AI 2022 report, equation 1.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from .registry import LOSSES

_PATCH = 8
_EPSILON = 1e-6


@LOSSES.register("outlier_aware")
def outlier_aware_loss(target: Any, prediction: Any) -> Any:
    """Mean of w |d|, w = 1 - exp(-|d - mean| / b), b = standard deviation / sqrt(2).

    Mean and deviation of the error d are over each image and channel; w has no gradient. Errors
    like all others weigh little, outliers nearly one. As in the authors' public code.
    """
    error = prediction - target
    mean, variance = tf.nn.moments(error, (1, 2), keepdims=True)
    scale = tf.sqrt(variance + _EPSILON**2) / math.sqrt(2)
    weight = tf.stop_gradient(1 - tf.exp(-tf.abs(error - mean) / scale))
    return tf.reduce_mean(weight * tf.abs(error))


@LOSSES.register("patch_stable")
def stable_patch_loss(target: Any, prediction: Any) -> Any:
    """Mean of w |d| over patches of 8x8, w = 1 - exp(-1 / |mean d| - 1 / var d) of the patch.

    Finite where the printed form is not, and equal to L1 for ordinary errors: it only takes
    weight from patches that are grossly wrong. w has no gradient.
    """
    error = prediction - target
    mean, variance = _patch_moments(error)
    exponent = 1 / (tf.abs(mean) + _EPSILON) + 1 / (variance + _EPSILON)
    return _weighted(error, tf.stop_gradient(1 - tf.exp(-exponent)))


@LOSSES.register("patch_printed")
def printed_patch_loss(target: Any, prediction: Any) -> Any:
    """Mean of exp(1 / mean d + 1 / var d) |d| over patches of 8x8: equation 1 as printed.

    At 22 dB the factor is about e^158, so this is here to be compared with. Raises
    `tf.errors.InvalidArgumentError` instead of returning what is not a finite number.
    """
    error = prediction - target
    mean, variance = _patch_moments(error)
    weight = tf.exp(1 / mean + 1 / variance)
    message = "patch_printed is not finite on these images; use outlier_aware"
    return tf.debugging.check_numerics(_weighted(error, weight), message)


def _patch_moments(error: Any) -> tuple[Any, Any]:
    """Mean and variance of each patch and channel."""
    mean, square = (tf.nn.avg_pool2d(x, _PATCH, _PATCH, "VALID") for x in (error, error * error))
    return mean, square - mean * mean


def _weighted(error: Any, weight: Any) -> Any:
    return tf.reduce_mean(weight * tf.nn.avg_pool2d(tf.abs(error), _PATCH, _PATCH, "VALID"))

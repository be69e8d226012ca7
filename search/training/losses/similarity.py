"""Structural similarity as a loss, at one scale and at several."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from search.training.ssim import WINDOW, ssim_of_channels

from .registry import LOSSES

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Wang, Simoncelli and Bovik, Asilomar 2003."""
_SMALLEST = 1e-6  # A power of zero has no gradient.


@LOSSES.register("ssim")
def ssim_loss(target: Any, prediction: Any) -> Any:
    """1 - SSIM, in [0, 2]; H and W at least 11."""
    return 1.0 - tf.reduce_mean(ssim_of_channels(*_same_type(target, prediction))[0])


@LOSSES.register("ms_ssim")
def ms_ssim_loss(target: Any, prediction: Any) -> Any:
    """1 - MS-SSIM, in [0, 1]: the product over scales of contrast, and of SSIM at the coarsest.

    Five scales need 176 pixels (a 2x2 mean between scales, a window of 11). Smaller crops
    have as many as fit, and their weights are scaled to the sum that five have.
    """
    target, prediction = _same_type(target, prediction)
    scales = _scales(min(target.shape[1:3]))
    total = sum(SCALE_WEIGHTS) / sum(SCALE_WEIGHTS[:scales])
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS[:scales]):
        full, contrast = ssim_of_channels(target, prediction)
        term = full if scale == scales - 1 else contrast
        product *= tf.pow(tf.nn.relu(term) + _SMALLEST, weight * total)
        target, prediction = (tf.nn.avg_pool2d(x, 2, 2, "VALID") for x in (target, prediction))
    return 1.0 - tf.reduce_mean(product)


def _scales(side: int) -> int:
    scales = 1
    while scales < len(SCALE_WEIGHTS) and side // 2**scales >= WINDOW:
        scales += 1
    return scales


def _same_type(target: Any, prediction: Any) -> tuple[Any, Any]:
    prediction = tf.convert_to_tensor(prediction)
    return tf.cast(target, prediction.dtype), prediction

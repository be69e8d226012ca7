"""The bands of a Haar wavelet transform, on which a loss can look instead of on the image.

As SKD-VSP is trained (Mobile AI 2022): L1 on the details, L1, VGG and SSIM on the low band.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from .registry import Loss


def low_band(images: Any) -> Any:
    """[B, H, W, C] in [0, 1] -> [B, H/2, W/2, C] in [0, 1]: half the low band, 2x2 means."""
    return tf.add_n(_pixels(images)) / 4


def detail_bands(images: Any) -> Any:
    """[B, H, W, C] in [0, 1] -> [3 B, H/2, W/2, C] in [-1, 1]: the three directions as images.

    In the order of `spaces.blocks.wavelet`.
    """
    a, b, c, d = _pixels(images)
    return tf.concat([a + b - c - d, a - b + c - d, a - b - c + d], axis=0) / 2


BANDS: Mapping[str, Callable[[Any], Any]] = {"low": low_band, "details": detail_bands}
"""By the prefix that recipes use, as in `low:ssim`."""


def on_band(band: str, loss: Loss) -> Loss:
    """`loss` of one band of target and prediction; H and W are even."""
    part = BANDS[band]
    return lambda target, prediction: loss(part(target), part(prediction))


def _pixels(images: Any) -> Any:
    """The four pixels of every 2x2 square, row by row."""
    return tf.split(tf.nn.space_to_depth(tf.convert_to_tensor(images), 2), 4, axis=-1)

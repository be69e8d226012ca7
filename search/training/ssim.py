"""SSIM with separable windows: the same numbers as `tf.image.ssim`, several times faster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from search.errors import UserError

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
BLOCK = 512
"""Windows a side that `ssim_in_pieces` looks at together."""


@tf.function
def ssim(target: Any, prediction: Any) -> Any:
    """SSIM of each image: [N, H, W, C] in [0, 1] twice -> [N]; H and W at least 11.

    Wang et al., 2004: Gaussian window of 11 and sigma 1.5, K1 = 0.01, K2 = 0.03, the mean over
    valid windows and channels. The Gaussian is separable, and a matrix product is the fastest way
    to apply it: TensorFlow's 11x11 depthwise convolution took a third of a brief trial.
    """
    return tf.reduce_mean(ssim_of_channels(target, prediction)[0], axis=1)


def ssim_of_channels(target: Any, prediction: Any) -> tuple[Any, Any]:
    """SSIM and its contrast-structure term of each channel: [N, H, W, C] -> twice [N, C]."""
    channels = target.shape[-1]
    x, y = (_planes(image) for image in (target, prediction))
    mean_x, mean_y = _blur(x), _blur(y)
    variance_sum = _blur(x * x + y * y) - mean_x * mean_x - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
    structure = (2 * covariance + C2) / (variance_sum + C2)
    full, contrast = (
        tf.reshape(tf.reduce_mean(planes, axis=(1, 2)), (-1, channels))
        for planes in (luminance * structure, structure)
    )
    return full, contrast


def ssim_in_pieces(target: np.ndarray, picture: np.ndarray) -> float:
    """What `ssim` gives for one image [H, W, C] of any size, in the memory of a piece.

    `picture` in [0, 1], `target` too, or uint8. SSIM is a mean over windows; pieces overlap by a
    window less one pixel, so that each window lies in one of them.
    """
    rows, columns = (list(_windows(side)) for side in target.shape[:2])
    total = counted = 0.0
    for y, high in rows:
        for x, wide in columns:
            block = slice(y, y + high + WINDOW - 1), slice(x, x + wide + WINDOW - 1)
            wanted = target[block]
            if wanted.dtype == np.uint8:
                wanted = wanted.astype(np.float32) / np.float32(255)
            found = ssim_of_channels(wanted[None], picture[block][None])[0]
            total += high * wide * float(np.mean(found))
            counted += high * wide
    return total / counted


def _windows(side: int) -> Iterator[tuple[int, int]]:
    """Where pieces along a side begin, and how many windows each has."""
    # One at least: an image that is too small is refused by SSIM itself.
    windows = max(side - WINDOW + 1, 1)
    for first in range(0, windows, BLOCK):
        yield first, min(BLOCK, windows - first)


def _planes(images: Any) -> Any:
    """[N, H, W, C] -> [N * C, H, W]"""
    height, width = images.shape[1:3]
    return tf.reshape(tf.transpose(images, (0, 3, 1, 2)), (-1, height, width))


def _blur(planes: Any) -> Any:
    """Valid Gaussian blur, as a product with a banded matrix on either side."""
    height, width = planes.shape[1:]
    return _band(height, planes.dtype) @ planes @ tf.transpose(_band(width, planes.dtype))


def _band(size: int, dtype: Any) -> Any:
    taps = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    taps /= taps.sum()
    rows = size - WINDOW + 1
    if rows < 1:
        raise UserError(f"SSIM needs images of {WINDOW} pixels a side, not {size}: larger crops")
    return tf.constant(sum(t * np.eye(rows, size, k) for k, t in enumerate(taps)), dtype)

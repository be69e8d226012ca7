"""Edges: differences of Sobel gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from .registry import LOSSES

_ACROSS = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
_DIAGONAL = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])
AXIAL = (_ACROSS, _ACROSS.T)
ALL_DIRECTIONS = (*AXIAL, _DIAGONAL, _DIAGONAL[:, ::-1])
"""x, y and the two diagonals (the diagonals' form is assumed)."""


@LOSSES.register("edge")
def edge_loss(target: Any, prediction: Any) -> Any:
    """Sum over x and y of the mean |Sobel(prediction) - Sobel(target)|, borders reflected.

    CASIA's edge loss (Mobile AI 2022 report, without a formula there).
    """
    return tf.add_n([tf.reduce_mean(tf.abs(sobel(prediction - target, k))) for k in AXIAL])


def sobel(images: Any, kernel: np.ndarray) -> Any:
    """[B, H, W, C] correlated with a 3x3 `kernel`, each channel by itself, borders reflected."""
    images = tf.convert_to_tensor(images)
    channels = images.shape[-1]
    taps = tf.constant(np.repeat(kernel[:, :, None, None], channels, axis=2), images.dtype)
    padded = tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "REFLECT")
    return tf.nn.depthwise_conv2d(padded, taps, (1, 1, 1, 1), "VALID")

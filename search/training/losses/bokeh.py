"""Bokeh losses: sharp in front, blurred behind. Sensebrain and VIC, Mobile AI 2022 bokeh report.

`mask` [B, H, W, 1] in [0, 1] is one on the foreground: a depth network's map there, here what
the target leaves in focus, which every pair tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from .edge import ALL_DIRECTIONS, sobel


def foreground_edge_loss(prediction: Any, mask: Any) -> Any:
    """-sum over four directions of |Sobel(prediction * mask)| a pixel, mean over images, <= 0.

    Rewards any edge in front, without bound: the report gives it a weight of 0.005.
    """
    return -tf.reduce_mean(_edges(prediction * mask))


def edge_difference_loss(prediction: Any, photograph: Any, mask: Any) -> Any:
    """| edges of the prediction - edges of the photograph | in front, mean over images, >= 0.

    The report nests `L_edge` with one argument; it is read as the difference to the input.
    """
    return tf.reduce_mean(tf.abs(_edges(prediction * mask) - _edges(photograph * mask)))


def background_blur_loss(prediction: Any, mask: Any) -> Any:
    """Total variation (anisotropic) of the background a pixel, mean over images, >= 0."""
    behind = prediction * (1 - mask)
    pixels = behind.shape[1] * behind.shape[2]
    return tf.reduce_mean(tf.image.total_variation(behind)) / pixels


def masked_loss(target: Any, prediction: Any, photograph: Any, mask: Any) -> Any:
    """Mean of M |p - x| + (1 - M) |p - y|, >= 0: the photograph in front, else the target."""
    in_front = mask * tf.abs(prediction - photograph)
    return tf.reduce_mean(in_front + (1 - mask) * tf.abs(prediction - target))


_WINDOW = 9
_DIFFERENT = 0.03
"""Side of the squares in which photograph and target are compared, and the mean difference at
which they count as little in focus (1/e): a weak blur changes an edge by about as much."""


def in_focus_mask(photograph: Any, target: Any) -> Any:
    """[B, H, W, 3] twice -> [B, H, W, 1]: one where the target left the photograph as it was."""
    difference = tf.reduce_mean(tf.abs(photograph - target), axis=-1, keepdims=True)
    return tf.exp(-tf.nn.avg_pool2d(difference, _WINDOW, 1, "SAME") / _DIFFERENT)


BOKEH_LOSSES: Mapping[str, Callable[[Any, Any, Any], Any]] = {
    "bokeh_foreground": lambda y, p, x: foreground_edge_loss(p, in_focus_mask(x, y)),
    "bokeh_edge": lambda y, p, x: edge_difference_loss(p, x, in_focus_mask(x, y)),
    "bokeh_blur": lambda y, p, x: background_blur_loss(p, in_focus_mask(x, y)),
    "bokeh_masked": lambda y, p, x: masked_loss(y, p, x, in_focus_mask(x, y)),
}
"""By the name that recipes use: (target, prediction, photograph) -> scalar."""


def _edges(images: Any) -> Any:
    """Sum of |Sobel| over directions and channels a pixel: [B, H, W, C] -> [B]"""
    strength = tf.add_n([tf.abs(sobel(images, kernel)) for kernel in ALL_DIRECTIONS])
    return tf.reduce_mean(tf.reduce_sum(strength, axis=-1), axis=(1, 2))

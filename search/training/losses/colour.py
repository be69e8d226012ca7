"""Losses of colour: its direction in each pixel, its distribution over the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from .registry import LOSSES

BINS, BIN_WIDTH = 64, 0.02
_HISTOGRAM_SIDE = 32


@LOSSES.register("cosine")
def cosine_loss(target: Any, prediction: Any) -> Any:
    """1 - mean cosine of the angle between the two colours of a pixel, in [0, 1].

    As in SYENet (ICCV 2023), the prediction clipped to [0, 1]. The product of lengths is kept
    above 1e-3: at 1e-8 a black pixel had a gradient of 3e5.
    """
    clipped = tf.clip_by_value(prediction, 0.0, 1.0)
    along = tf.reduce_sum(target * clipped, axis=-1)
    squares = [tf.reduce_sum(x * x, axis=-1) for x in (target, clipped)]
    lengths = tf.sqrt(tf.maximum(squares[0] * squares[1], 1e-6))
    return 1.0 - tf.reduce_mean(along / lengths)


@LOSSES.register("histogram")
def histogram_loss(target: Any, prediction: Any) -> Any:
    """Sum over channels of the distance of their soft histograms, in [0, 6].

    ENERZAi's per-channel loss (Mobile AI 2022 reports), with the kernel of HistoGAN (CVPR 2021):
    a value x counts 1 / (1 + ((x - t) / 0.02)^2) in the bin at t, of 64 over [0, 1]; histograms
    add up to one. Bins and width are assumed. At most 32 x 32 pixels, evenly spread, are counted:
    each takes 64 numbers a channel.
    """
    return tf.reduce_mean(
        tf.reduce_sum(tf.abs(_histograms(target) - _histograms(prediction)), axis=(1, 2))
    )


def _histograms(images: Any) -> Any:
    """[B, H, W, C] -> [B, C, BINS]"""
    images = tf.convert_to_tensor(images)
    steps = [max(1, side // _HISTOGRAM_SIDE) for side in images.shape[1:3]]
    values = images[:, :: steps[0], :: steps[1], :, None]
    centres = tf.constant(np.linspace(0, 1, BINS), images.dtype)
    counts = tf.reduce_sum(1 / (1 + tf.square((values - centres) / BIN_WIDTH)), axis=(1, 2))
    return counts / tf.reduce_sum(counts, axis=-1, keepdims=True)

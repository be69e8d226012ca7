"""Exposure: the weights by which exposure fusion would mix the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from .edge import sobel
from .registry import LOSSES

_LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])


@LOSSES.register("exposure_fusion")
def exposure_fusion_loss(target: Any, prediction: Any) -> Any:
    """Mean |w(target) - w(prediction)| of the weights of exposure fusion, as in DANN-ISP's code.

    w = contrast (|Laplacian of the mean colour|) * saturation (deviation of the channels)
    * exposedness (product over channels of exp(-12.5 (x - 0.5)^2)); Mertens et al., 2007.
    """
    return tf.reduce_mean(tf.abs(_weights(target) - _weights(prediction)))


def _weights(images: Any) -> Any:
    """[B, H, W, 3] -> [B, H, W, 1]"""
    images = tf.convert_to_tensor(images)
    gray = tf.reduce_mean(images, axis=-1, keepdims=True)
    contrast = tf.abs(sobel(gray, _LAPLACIAN))
    spread = tf.reduce_mean(tf.square(images - gray), axis=-1, keepdims=True)
    exposed = tf.reduce_sum(tf.square(images - 0.5), axis=-1, keepdims=True)
    return contrast * tf.sqrt(spread + 1e-7) * tf.exp(-12.5 * exposed)

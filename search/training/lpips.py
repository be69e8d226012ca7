"""LPIPS: learned perceptual distance of two images, with AlexNet's features.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
CVPR 2018, version 0.1. The weights are the user's: docs/losses.md says how to make the file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from search.errors import UserError
from spaces.ops.keras_backend import Network

from .data import Validation
from .evaluation import EVALUATION_BATCH, predict_images
from .lpips_weights import LpipsWeights, read_lpips_weights

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of images in [-1, 1], before AlexNet."""
SMALLEST_SIDE = 31
"""Of images: the second pooling then leaves a pixel."""
PIXELS_AT_A_TIME = 2**20
"""Of images that are compared in one batch: AlexNet's features of them take some 120 MB."""


def lpips_metric(weights: str | Path) -> Callable[[Any, Any], Any]:
    """The metric (target, prediction), [B, H, W, 3] in [0, 1] each -> [B], 0 for equal images.

    Raises UserError for a file that does not hold the weights, and for smaller images than
    `SMALLEST_SIDE`.
    """
    known = read_lpips_weights(weights)

    def metric(target: Any, prediction: Any) -> Any:
        height, width = target.shape[1:3]
        if min(height, width) < SMALLEST_SIDE:
            raise UserError(f"LPIPS: images of {height}x{width}, under {SMALLEST_SIDE} pixels")
        pairs = zip(_features(target, known), _features(prediction, known), strict=True)
        distances = [
            tf.reduce_mean(tf.reduce_sum(share * tf.square(a - b), axis=-1), axis=(1, 2))
            for (a, b), share in zip(pairs, known.linear, strict=True)
        ]
        return tf.add_n(distances)

    return metric


def mean_lpips(model: Network, validation: Validation, weights: str | Path) -> float:
    """Mean over the validation images, some at a time. Raises as `lpips_metric` and its metric."""
    metric = lpips_metric(weights)
    inputs, targets = validation.inputs, validation.targets
    batch = max(1, min(EVALUATION_BATCH, PIXELS_AT_A_TIME // (targets.shape[1] * targets.shape[2])))
    found = []
    for start in range(0, len(inputs), batch):
        chosen = slice(start, start + batch)
        target = targets[chosen].astype(np.float32) / np.float32(255)
        found.append(metric(target, predict_images(model, inputs[chosen])).numpy())
    return float(np.mean(np.concatenate(found)))


def _features(images: Any, weights: LpipsWeights) -> list[Any]:
    """After each ReLU, every pixel's features of length one."""
    x = (2 * tf.convert_to_tensor(images) - 1 - tf.constant(SHIFT)) / tf.constant(SCALE)
    found = []
    for index, (kernel, bias) in enumerate(zip(weights.kernels, weights.biases, strict=True)):
        if index in (1, 2):
            x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        reach = 2 if index < 2 else 1
        padding = [[0, 0], [reach, reach], [reach, reach], [0, 0]]
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 4 if index == 0 else 1, padding) + bias)
        length = tf.sqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True))
        found.append(x / (length + 1e-10))
    return found

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

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of images in [-1, 1], before AlexNet."""
LAYERS = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
"""Kernel, channels in, channels out of AlexNet's convolutions as in torchvision."""
SMALLEST_SIDE = 63
"""Of images: the second pooling then leaves more than a pixel."""


def lpips_metric(weights: str | Path) -> Callable[[Any, Any], Any]:
    """The metric (target, prediction), [B, H, W, 3] in [0, 1] each -> [B], 0 for equal images.

    `weights`: an .npz of `conv1_kernel` [k, k, in, out], `conv1_bias`, `linear1` [out] to 5.
    Raises UserError for a file that does not hold them.
    """
    convolutions, linear = _read(weights)

    def metric(target: Any, prediction: Any) -> Any:
        pairs = zip(
            _features(target, convolutions), _features(prediction, convolutions), strict=True
        )
        distances = [
            tf.reduce_mean(tf.reduce_sum(share * tf.square(a - b), axis=-1), axis=(1, 2))
            for (a, b), share in zip(pairs, linear, strict=True)
        ]
        return tf.add_n(distances)

    return metric


def _features(images: Any, convolutions: list[tuple[Any, Any]]) -> list[Any]:
    """After each ReLU, every pixel's features of length one."""
    x = (2 * tf.convert_to_tensor(images) - 1 - tf.constant(SHIFT)) / tf.constant(SCALE)
    found = []
    for index, (kernel, bias) in enumerate(convolutions):
        if index in (1, 2):
            x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        reach = 2 if index < 2 else 1
        padding = [[0, 0], [reach, reach], [reach, reach], [0, 0]]
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 4 if index == 0 else 1, padding) + bias)
        length = tf.sqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True))
        found.append(x / (length + 1e-10))
    return found


def _read(path: str | Path) -> tuple[list[tuple[Any, Any]], list[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            held = {name: arrays[name].astype(np.float32) for name in arrays.files}
    except FileNotFoundError:
        raise UserError(f"LPIPS: no file {path}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"LPIPS: cannot read {path}: {error}") from None
    convolutions, linear = [], []
    for index, (kernel, channels, width) in enumerate(LAYERS, start=1):
        wanted = {
            f"conv{index}_kernel": (kernel, kernel, channels, width),
            f"conv{index}_bias": (width,),
            f"linear{index}": (width,),
        }
        for name, shape in wanted.items():
            if name not in held or held[name].shape != shape:
                found = held[name].shape if name in held else "nothing"
                raise UserError(f"LPIPS: {path} has {found} as {name}, not {shape}")
        convolutions.append((held[f"conv{index}_kernel"], held[f"conv{index}_bias"]))
        linear.append(held[f"linear{index}"])
    return convolutions, linear

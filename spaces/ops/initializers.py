"""How the kernels of convolutions start."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .protocol import Init


def initializer(init: Init) -> Any:
    """What Keras takes as `kernel_initializer`."""
    if init == "zeros":
        return "zeros"
    if init == "identity":
        return identity
    if init == "small":
        return small
    return "he_normal" if init == "random" else passing_through


def small(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """A tenth of He-normal: the end of a residual branch, so that deep sums do not explode."""
    return keras.ops.cast(0.1 * keras.initializers.HeNormal()(shape), dtype or "float32")


def passing_through(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """He-normal, but the first output channels pass the input channels through.

    A fresh network then hands its input to its last layer beside random features, so the
    closed-form fit of that layer starts every architecture near a linear transform of its
    input. `shape`: (k, k, in, out).
    """
    kernel = np.array(keras.initializers.HeNormal()(shape))
    same = min(shape[2], shape[3])
    kernel[..., :same] = np.array(identity(shape))[..., :same]
    return keras.ops.convert_to_tensor(kernel, dtype=dtype)


def identity(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """A k x k kernel that passes every channel through. `shape`: (k, k, in, out)."""
    kernel = np.zeros(shape, np.float32)
    middle = (shape[0] - 1) // 2
    for channel in range(min(shape[2], shape[3])):
        kernel[middle, middle, channel, channel] = 1.0
    return keras.ops.convert_to_tensor(kernel, dtype=dtype)

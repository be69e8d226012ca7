"""The output layers solved in closed form before the first gradient step.

The last convolution over features (and the linear path from the input, where the
architecture has one) is linear in its weights, so ridge regression on some
crops gives its best start for the untrained features. Brief training then
compares what networks add to a fitted colour transform instead of how fast each
finds one. Nothing is added to the deployed graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from spaces.ops.keras_backend import Network
from spaces.unet import GLOBAL_PATH, HEAD

RIDGE = 1e-3
"""Ridge strength relative to the mean diagonal of the normal matrix."""


def fit_output_layers(model: Network, x: np.ndarray, y: np.ndarray, *, residual: bool) -> None:
    """Set the weights of `model`'s named output layers to the ridge solution for (x, y).

    `x` [N, h, w, C] network inputs, `y` [N, H, W, 3] targets in [0, 1]. With `residual` the
    network adds its input to the output, so the layers fit y - x. A network that names no
    head is left as it is.
    """
    layers = [model.named[name] for name in (HEAD, GLOBAL_PATH) if name in model.named]
    if HEAD not in model.named:
        return
    normal: np.ndarray | float = 0.0
    moment: np.ndarray | float = 0.0
    for start in range(0, len(x), 16):
        design, target = _equations(model, x[start : start + 16], y[start : start + 16], residual)
        normal = normal + design.T @ design
        moment = moment + design.T @ target
    assert isinstance(normal, np.ndarray)
    ridge = RIDGE * np.trace(normal) / len(normal)
    solution = np.linalg.solve(normal + ridge * np.eye(len(normal)), moment)
    _assign(layers, solution)


def _equations(
    model: Network, x: np.ndarray, y: np.ndarray, residual: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the least-squares problem: patches that the layers see, and what they should give."""
    _, taps = model.taps(x)
    parts = [
        _patches(taps[name], model.named[name]) for name in (HEAD, GLOBAL_PATH) if name in taps
    ]
    rows = parts[0].shape[0]
    design = np.concatenate([*parts, np.ones((rows, 1))], axis=1)
    channels = int(model.named[HEAD].kernel.shape[-1])
    block = round((channels / y.shape[-1]) ** 0.5)
    wanted = y - x if residual else y
    target = tf.nn.space_to_depth(wanted, block) if block > 1 else tf.constant(wanted)
    return design, target.numpy().reshape(rows, channels).astype(np.float64)


def _patches(features: Any, layer: Any) -> np.ndarray:
    """The input patches of a convolution, one row an output pixel, in its kernel's order."""
    kernel, stride = layer.kernel.shape[0], layer.strides[0]
    patches = tf.image.extract_patches(
        features, [1, kernel, kernel, 1], [1, stride, stride, 1], [1, 1, 1, 1], "SAME"
    )
    return patches.numpy().reshape(-1, patches.shape[-1]).astype(np.float64)


def _assign(layers: list[Any], solution: np.ndarray) -> None:
    """Split the stacked solution over the layers' kernels; the common bias goes to the first."""
    start = 0
    for layer in layers:
        size = int(np.prod(layer.kernel.shape[:3]))
        layer.kernel.assign(solution[start : start + size].reshape(layer.kernel.shape))
        start += size
    layers[0].bias.assign(solution[-1])

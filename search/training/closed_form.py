"""The output layers solved in closed form before the first gradient step.

The last convolution over features (and the linear path from the input, where the
architecture has one) is linear in its weights, so ridge regression on some
crops gives its best start for the untrained features. Brief training then
compares what networks add to a fitted colour transform instead of how fast each
finds one. Nothing is added to the deployed graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spaces.blocks.colour import TONE
from spaces.ops.keras_backend import Network
from spaces.unet import GAINS, GLOBAL_PATH, HEAD

OUTPUT_LAYERS = (HEAD, GLOBAL_PATH)
"""By name, in the order in which they are solved for."""
RIDGE = 1e-4
"""Ridge strength relative to the mean diagonal of the normal matrix."""
ROUNDS = 4
"""Of reweighting. Plain least squares serves the images with the largest errors; the mean PSNR
weighs all alike, which weights of 1 / MSE of each image do too."""
ROW_STEP = 5
"""Every fifth pixel: neighbours say the same, and more crops see more light."""
BATCH = 16
SETTLING = 30
"""Batches after which the norms of re-parameterised convolutions hold the images' statistics."""


def fit_output_layers(
    model: Network,
    x: np.ndarray,
    y: np.ndarray,
    *,
    residual: bool,
    tone: str = "none",
    names: Sequence[str] = OUTPUT_LAYERS,
) -> None:
    """Set the weights of `model`'s named output layers to the best linear fit of (x, y).

    `x` [N, h, w, C] network inputs, `y` [N, H, W, 3] targets in [0, 1]. Minimises the mean of
    log MSE over images by iteratively reweighted ridge regression. With `residual` the network
    adds its input to the output, so the layers fit y - x. With a `tone` (of `TONE`) or gains in
    the network's end they fit what these make y of. A network that names no head is left as it is.
    `names`: the layers to solve, the others being zero.
    """
    if HEAD not in model.named:
        return
    if model.non_trainable_variables:
        _settle(model, x)
    names = [name for name in names if name in model.named]
    wanted = y - x if residual else TONE[tone].undo(y)
    parts = [
        _equations(model, names, x[i : i + BATCH], wanted[i : i + BATCH])
        for i in range(0, len(x), BATCH)
    ]
    design, targets = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    _assign([model.named[name] for name in names], _solve(design, targets))


def _settle(model: Network, x: np.ndarray) -> None:
    """Bring moving statistics to those of `x`: what is fitted then holds in training too."""
    starts = itertools.cycle(range(0, len(x), BATCH))
    for i in itertools.islice(starts, SETTLING):
        model(x[i : i + BATCH], training=True)


def _solve(design: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights [D, outputs] for `design` [images, rows, D] and `wanted` [images, rows, outputs]."""
    weights = np.ones(len(design), np.float32)
    for _ in range(ROUNDS):
        root = np.sqrt(weights / weights.sum())[:, None, None]
        rows, targets = (_stacked(array * root) for array in (design, wanted))
        normal = (rows.T @ rows).astype(np.float64)
        normal += RIDGE * np.trace(normal) / len(normal) * np.eye(len(normal))
        solution = np.linalg.solve(normal, (rows.T @ targets).astype(np.float64))
        error = design @ solution.astype(np.float32) - wanted
        weights = 1.0 / np.maximum(np.mean(error**2, axis=(1, 2)), 1e-6)
    return solution


def _stacked(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, array.shape[-1])


def _equations(
    model: Network, names: Sequence[str], x: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Patches that the layers see and what they should give, [images, rows, ...] each."""
    _, taps = model.taps(x)
    patches = [_patches(taps[name], model.named[name]) for name in names]
    ones = np.ones((*patches[0].shape[:2], 1), np.float32)
    design = np.concatenate([*patches, ones], axis=-1)
    channels = int(model.named[HEAD].kernel.shape[-1])
    block = round((channels / wanted.shape[-1]) ** 0.5)
    if GAINS in taps:
        wanted = wanted / np.asarray(taps[GAINS])
    target = tf.nn.space_to_depth(wanted, block).numpy() if block > 1 else wanted
    return design[:, ::ROW_STEP], target.reshape(len(x), -1, channels)[:, ::ROW_STEP]


def _patches(features: Any, layer: Any) -> np.ndarray:
    """The input patches of a convolution, [images, output pixels, k * k * C] in kernel order."""
    kernel, stride = layer.kernel.shape[0], layer.strides[0]
    patches = tf.image.extract_patches(
        features, [1, kernel, kernel, 1], [1, stride, stride, 1], [1, 1, 1, 1], "SAME"
    ).numpy()
    return patches.reshape(len(patches), -1, patches.shape[-1])


def _assign(layers: list[Any], solution: np.ndarray) -> None:
    """Split the stacked solution over the layers' kernels; the common bias goes to the first."""
    start = 0
    for layer in layers:
        size = int(np.prod(layer.kernel.shape[:3]))
        layer.kernel.assign(solution[start : start + size].reshape(layer.kernel.shape))
        start += size
    layers[0].bias.assign(solution[-1])

"""Kernels in 8 bits: symmetric, a scale for each output channel, from its largest weight.

To the nearest step, the errors of a kernel's weights add up: what it sees are images, where
neighbours are alike and nothing is below zero, so that they shift the whole channel. Where the
inputs are known, each weight is rounded in turn, and those that are still to come take over what
that changes, the bias last, which has 32 bits: Frantar et al., "GPTQ", 2022.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

LARGEST_WEIGHT = 127
"""Of the integers that weights are; -128 is left out, so that zero is in the middle."""

_SMALLEST = 1e-6
"""Of what a scale is made of, so that it is never zero."""

_DAMPING = 1e-3
"""Of the mean second moment, added to each: how far weights may move where inputs say little."""

_ENOUGH_PIXELS = 64
"""Of a crop's side, to know what a kernel sees."""

Doubles = npt.NDArray[np.float64]


def rounded_kernel(layer: keras.layers.Layer) -> Any:
    """Its kernel in 8 bits, each weight to the nearest step; gradients pass straight through.

    In plain arithmetic: the converter finds the same scales, for the largest weights stay, and
    it cannot turn the kernel of a transposed convolution that is marked as rounded.
    """
    kernel = layer.kernel.value
    # [h, w, in, out] but for depthwise [h, w, channels, 1] and transposed [h, w, out, in].
    turned = isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2DTranspose)
    others = (0, 1, 3) if turned else (0, 1, 2)
    most = tf.reduce_max(tf.abs(kernel), others, keepdims=True)
    step = tf.maximum(most, _SMALLEST) / LARGEST_WEIGHT
    rounded = tf.round(kernel / step) * step
    return kernel + tf.stop_gradient(rounded - kernel)


def seen_by_kernel(layer: keras.layers.Layer, x: Any) -> Any:
    """[groups, n + 1, n + 1]: mean products of the n inputs that a weight each is for, and of one.

    A convolution is one group, a depthwise one a group for each channel. None for layers that
    `fit_kernel` leaves alone: without a bias, or transposed.
    """
    known = isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
    if not known or isinstance(layer, keras.layers.Conv2DTranspose) or not layer.use_bias:
        return None
    # Of large crops every n-th place is enough, and takes the memory of small ones.
    apart = max(1, max(x.shape[1:3]) // _ENOUGH_PIXELS)
    strides = [1, *(stride * apart for stride in layer.strides), 1]
    window, rates = [1, *layer.kernel_size, 1], [1, *layer.dilation_rate, 1]
    seen = tf.image.extract_patches(x, window, strides, rates, layer.padding.upper())
    groups = x.shape[-1] if isinstance(layer, keras.layers.DepthwiseConv2D) else 1
    seen = tf.transpose(tf.reshape(seen, (-1, seen.shape[-1] // groups, groups)), (2, 0, 1))
    seen = tf.concat([seen, tf.ones_like(seen[..., :1])], -1)
    return tf.matmul(seen, seen, transpose_a=True) / tf.cast(tf.shape(seen)[1], tf.float32)


def fit_kernel(layer: keras.layers.Layer, seen: Doubles) -> None:
    """Round the kernel of `layer` for inputs as in `seen`, of `seen_by_kernel`; its bias follows.

    The largest weight of a channel stays, and so does its scale: `rounded_kernel` changes nothing
    any more.
    """
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    groups, outputs = (kernel.shape[2], 1) if depthwise else (1, kernel.shape[3])
    weights = kernel.reshape(-1, groups, outputs).transpose(1, 0, 2)
    found = np.stack([
        _rounded_in_turn(np.vstack([w, b]).astype(np.float64), s)
        for w, b, s in zip(weights, bias.reshape(groups, 1, outputs), seen, strict=True)
    ])  # fmt: skip
    layer.kernel.assign(found[:, :-1].transpose(1, 0, 2).reshape(kernel.shape))
    layer.bias.assign(found[:, -1].reshape(bias.shape))


def _rounded_in_turn(weights: Doubles, seen: Doubles) -> Doubles:
    """`weights` [n + 1, outputs], the last of them biases, for inputs as in `seen` [n + 1, n + 1].

    Those with the strongest inputs come first.
    """
    strength = np.diag(seen)[:-1]
    count = len(strength)
    order = np.append(np.argsort(-strength, kind="stable"), count)
    damped = seen + (_DAMPING * strength.mean() + 1e-12) * np.eye(count + 1)
    # Row i: how much each later weight changes for an error in weight i.
    share = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left = weights[order]
    most = np.abs(weights[:-1]).max(axis=0)
    step = np.maximum(most, _SMALLEST) / LARGEST_WEIGHT
    stays = np.abs(left) == most
    original = left.copy()
    for i in range(count):
        nearest = np.clip(np.round(left[i] / step), -LARGEST_WEIGHT, LARGEST_WEIGHT) * step
        rounded = np.where(stays[i], original[i], nearest)
        left[i + 1 :] -= np.outer(share[i, i + 1 :], (left[i] - rounded) / share[i, i])
        left[i] = rounded
    result: Doubles = np.empty_like(left)
    result[order] = left
    return result

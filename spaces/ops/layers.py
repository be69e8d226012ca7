"""Keras layers that `KerasOps` makes where Keras has none, or none that exports well."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf


def constant_like(x: Any, values: np.ndarray) -> Any:
    """`values` in the type of `x`, which a training step may have chosen."""
    return keras.ops.convert_to_tensor(values, dtype=x.dtype)


class PointwiseOfSome(keras.layers.Conv2D):  # type: ignore[misc]
    """A 1x1 convolution of every `strides`-th pixel.

    In training the pixels are picked first: TensorFlow 2.21 writes past its memory in the
    gradient of a strided 1x1 convolution where the stride divides the image's side.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        """The convolution, in either way the same."""
        if not training:
            return super().call(x)
        rows, columns = self.strides
        picked = x[:, ::rows, ::columns]
        return keras.ops.conv(picked, self.kernel) + (self.bias if self.use_bias else 0)


class ChannelBias(keras.layers.Layer):  # type: ignore[misc]
    """[B, H, W, C] plus a learned [1, 1, 1, C]."""

    def build(self, input_shape: Any) -> None:
        """Make the bias, zero."""
        self.bias = self.add_weight(shape=(1, 1, 1, input_shape[-1]), initializer="zeros")

    def call(self, x: Any) -> Any:
        """The sum."""
        return x + self.bias


class Attend(keras.layers.Layer):  # type: ignore[misc]
    """softmax(query key^T) value of [B, N, ...], times a learned number a channel."""

    def build(self, query_shape: Any, key_shape: Any, value_shape: Any) -> None:
        """Make the factors; at zero, the converter would fold everything away."""
        small = keras.initializers.Constant(0.1)
        self.share = self.add_weight(shape=(value_shape[-1],), initializer=small)

    def call(self, query: Any, key: Any, value: Any) -> Any:
        """The weighed values; keras.ops would leave a TRANSPOSE in the file."""
        scores = tf.matmul(query, key, transpose_b=True)
        return tf.matmul(keras.ops.softmax(scores, axis=-1), value) * self.share


class InstanceNorm(keras.layers.Layer):  # type: ignore[misc]
    """Instance normalisation of [B, H, W, C] over H and W, with a learned scale and shift.

    Ulyanov et al., 2016; epsilon as in PyNET-Bokeh. Written out, because the
    normalisation layers of Keras export tensors of rank 5, which the delegate refuses.
    """

    axes: tuple[int, ...] = (1, 2)
    epsilon = 1e-3

    def __init__(self, *, affine: bool = True) -> None:
        """`affine`: whether there are a scale and a shift."""
        super().__init__()
        self.affine = affine

    def build(self, input_shape: Any) -> None:
        """Make `gamma`, one, and `beta`, zero, of [C]."""
        if not self.affine:
            return
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        self.beta = self.add_weight(shape=(input_shape[-1],), initializer="zeros")

    def call(self, x: Any) -> Any:
        """The normalised `x`."""
        # Named in the order in which they are to stand in an exported file. SQUARED_DIFFERENCE is
        # one op there; keras.ops would leave SUB and MUL.
        mean = tf.reduce_mean(x, self.axes, keepdims=True, name="a")
        spread = tf.math.squared_difference(x, mean, name="b")
        variance = tf.reduce_mean(spread, self.axes, keepdims=True, name="c")
        centred = tf.subtract(x, mean, name="d")
        y = tf.multiply(centred, tf.math.rsqrt(tf.add(variance, self.epsilon, name="e"), name="f"))
        return y * self.gamma + self.beta if self.affine else y


class LayerNorm(InstanceNorm):
    """Normalisation of each pixel over its channels: "LayerNorm2d" of NAFNet."""

    axes = (3,)
    epsilon = 1e-6

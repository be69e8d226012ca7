"""The Keras backend: a network function to a trainable `keras.Model`.

The network function is run again on every call, with its layers handed back in
the order in which the first run made them. So the ops of the model, and of the
file exported from it, stand in the order in which the network was written, and
one model serves every image size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .initializers import initializer
from .layers import (
    Attend,
    ChannelBias,
    InstanceNorm,
    LayerNorm,
    PointwiseOfSome,
    constant_like,
)
from .protocol import LEAKY_SLOPE, Activation, Branches, Init, Interpolation, Padding
from .reparam import REPARAMETERISED, Reparameterised

_BUILD_SIZE = 128
"""Side of the symbolic input that the layers are made on; any multiple of 128 would do."""

_LAYER_NAME = "layer"
"""Of every layer: which one it is, the call's number says."""

CALL = r"\bop(\d+)/([^;]*)"
"""In the names of a model's TensorFlow ops: the number of the call, and the step within it."""

PRELU_START = 0.25
"""Slope of a fresh PReLU: one of zero would be folded into RELU by the converter."""

_POINTWISE: dict[str, Callable[[Any], Any]] = {
    "relu": keras.ops.relu,
    "leaky_relu": lambda x: keras.ops.leaky_relu(x, negative_slope=LEAKY_SLOPE),
    "hard_swish": keras.ops.hard_silu,
    "tanh": keras.ops.tanh,
    "sigmoid": keras.ops.sigmoid,
}


class KerasOps:
    """`Ops` over Keras tensors. Makes layers when `layers` is None, else uses them in order.

    `named` holds the layers that were given a name and `taps` their input tensors.
    """

    def __init__(self, layers: Sequence[keras.layers.Layer] | None = None) -> None:
        self.made: list[keras.layers.Layer] = []
        self.named: dict[str, keras.layers.Layer] = {}
        self.taps: dict[str, Any] = {}
        self._replay: Iterator[keras.layers.Layer] | None = None if layers is None else iter(layers)

    def _layer(self, make: Callable[[], keras.layers.Layer]) -> keras.layers.Layer:
        if self._replay is not None:
            return next(self._replay)
        layer = make()
        layer.name = _LAYER_NAME
        self.made.append(layer)
        return layer

    def channels(self, x: Any) -> int:
        """See `Ops.channels`."""
        return int(x.shape[-1])

    def conv(
        self,
        x: Any,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: Padding = "same",
        bias: bool = True,
        init: Init = "default",
        name: str | None = None,
        branches: Branches | None = None,
    ) -> Any:
        """See `Ops.conv`."""

        def make() -> keras.layers.Layer:
            if branches is not None:
                if (stride, padding, bias) != (1, "same", True):
                    raise ValueError(f"{branches} needs stride 1, same padding and a bias")
                return REPARAMETERISED[branches](channels, kernel)
            kind = PointwiseOfSome if kernel == 1 < stride else keras.layers.Conv2D
            return kind(
                channels,
                kernel,
                strides=stride,
                padding=padding,
                use_bias=bias,
                kernel_initializer=initializer(init),
            )

        layer = self._layer(make)
        if name is not None:
            self.named[name] = layer
            self.taps[name] = x
        return layer(x)

    def tap(self, x: Any, name: str) -> Any:
        """See `Ops.tap`."""
        self.taps[name] = x
        return x

    def part(self, name: str) -> AbstractContextManager[None]:
        """See `Ops.part`: layers are known by their order here."""
        return nullcontext()

    def depthwise(self, x: Any, kernel: int = 3, *, stride: int = 1) -> Any:
        """See `Ops.depthwise`."""
        layer = self._layer(
            lambda: keras.layers.DepthwiseConv2D(
                kernel, strides=stride, padding="same", depthwise_initializer="he_normal"
            )
        )
        return layer(x)

    def transposed_conv(self, x: Any, channels: int, kernel: int = 2, *, stride: int = 2) -> Any:
        """See `Ops.transposed_conv`."""
        layer = self._layer(
            lambda: keras.layers.Conv2DTranspose(
                channels, kernel, strides=stride, padding="same", kernel_initializer="he_normal"
            )
        )
        return layer(x)

    def activation(self, x: Any, kind: Activation) -> Any:
        """See `Ops.activation`."""
        if kind == "linear":
            return x
        if kind == "prelu":
            start = keras.initializers.Constant(PRELU_START)
            layer = self._layer(
                lambda: keras.layers.PReLU(alpha_initializer=start, shared_axes=[1, 2])
            )
            return layer(x)
        return _POINTWISE[kind](x)

    def add(self, x: Any, y: Any) -> Any:
        """See `Ops.add`."""
        return keras.ops.add(x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        """See `Ops.multiply`."""
        return keras.ops.multiply(x, y)

    def concat(self, tensors: Sequence[Any]) -> Any:
        """See `Ops.concat`."""
        return keras.ops.concatenate(list(tensors), axis=-1)

    def max_pool(self, x: Any, size: int = 2) -> Any:
        """See `Ops.max_pool`."""
        return keras.ops.max_pool(x, size, size, padding="valid")

    def average_pool(self, x: Any, size: int = 2) -> Any:
        """See `Ops.average_pool`."""
        return keras.ops.average_pool(x, size, size, padding="valid")

    def global_average(self, x: Any) -> Any:
        """See `Ops.global_average`."""
        return keras.ops.mean(x, axis=(1, 2), keepdims=True)

    def resize(self, x: Any, factor: int, interpolation: Interpolation = "nearest") -> Any:
        """See `Ops.resize`."""
        size = (x.shape[1] * factor, x.shape[2] * factor)
        return keras.ops.image.resize(x, size, interpolation=interpolation)

    def depth_to_space(self, x: Any, block: int) -> Any:
        """See `Ops.depth_to_space`."""
        return keras.ops.depth_to_space(x, block)

    def space_to_depth(self, x: Any, block: int) -> Any:
        """See `Ops.space_to_depth`."""
        return keras.ops.space_to_depth(x, block)

    def dilated_depthwise(
        self, x: Any, kernel: int = 3, *, dilation: int = 1, padding: Padding = "same"
    ) -> Any:
        """See `Ops.dilated_depthwise`."""
        layer = self._layer(
            lambda: keras.layers.DepthwiseConv2D(
                kernel, padding=padding, dilation_rate=dilation, depthwise_initializer="he_normal"
            )
        )
        return layer(x)

    def channel_bias(self, x: Any) -> Any:
        """See `Ops.channel_bias`."""
        return self._layer(ChannelBias)(x)

    def scale(self, x: Any, factor: float) -> Any:
        """See `Ops.scale`."""
        return keras.ops.multiply(x, factor)

    def shift(self, x: Any, offset: float) -> Any:
        """See `Ops.shift`."""
        return keras.ops.add(x, offset)

    def power(self, x: Any, exponent: float) -> Any:
        """See `Ops.power`."""
        return keras.ops.power(x, exponent)

    def tone_curve(self, x: Any) -> Any:
        """See `Ops.tone_curve`."""
        square = self.scale(self.multiply(x, x), 3.0)
        return self.subtract(square, self.scale(self.power(x, 3.0), 2.0))

    def clip(self, x: Any) -> Any:
        """See `Ops.clip`: MINIMUM and RELU in a file, which every runtime knows."""
        return keras.ops.clip(x, 0.0, 1.0)

    def subtract(self, x: Any, y: Any) -> Any:
        """See `Ops.subtract`."""
        return keras.ops.subtract(x, y)

    def instance_norm(self, x: Any, *, affine: bool = True) -> Any:
        """See `Ops.instance_norm`."""
        return self._layer(lambda: InstanceNorm(affine=affine))(x)

    def channel_gates(self, x: Any, kernel: int) -> Any:
        """See `Ops.channel_gates`."""
        channels = self.channels(x)
        layer = self._layer(
            lambda: keras.layers.Conv2D(1, (1, kernel), padding="same", use_bias=False)
        )
        row = keras.ops.sigmoid(layer(keras.ops.reshape(x, (-1, 1, channels, 1))))
        return keras.ops.reshape(row, (-1, 1, 1, channels))

    def layer_norm(self, x: Any) -> Any:
        """See `Ops.layer_norm`."""
        return self._layer(LayerNorm)(x)

    def fixed_mix(self, x: Any, matrix: Sequence[Sequence[float]]) -> Any:
        """See `Ops.fixed_mix`."""
        return keras.ops.conv(x, constant_like(x, np.array([[matrix]])))

    def fixed_depthwise(self, x: Any, taps: Sequence[Sequence[float]]) -> Any:
        """See `Ops.fixed_depthwise`."""
        kernel = np.repeat(np.array(taps)[:, :, None, None], self.channels(x), axis=2)
        return keras.ops.depthwise_conv(x, constant_like(x, kernel), padding="same")

    def reflect_pad(self, x: Any, amount: int) -> Any:
        """See `Ops.reflect_pad`."""
        around = (amount, amount)
        return keras.ops.pad(x, ((0, 0), around, around, (0, 0)), mode="reflect")

    def channel_range(self, x: Any, begin: int, end: int) -> Any:
        """See `Ops.channel_range`."""
        return x[:, :, :, begin:end]

    def channel(self, x: Any, index: int) -> Any:
        """See `Ops.channel`."""
        return x[:, :, :, index]

    def stack(self, tensors: Sequence[Any]) -> Any:
        """See `Ops.stack`."""
        return keras.ops.stack(list(tensors), axis=-1)

    def global_max(self, x: Any) -> Any:
        """See `Ops.global_max`."""
        return keras.ops.max(x, axis=(1, 2), keepdims=True)

    def exp(self, x: Any) -> Any:
        """See `Ops.exp`."""
        return keras.ops.exp(x)

    def divide(self, x: Any, y: Any) -> Any:
        """See `Ops.divide`."""
        return keras.ops.divide(x, y)

    def attend(self, query: Any, key: Any, value: Any) -> Any:
        """See `Ops.attend`."""
        pixels = value.shape[1] * value.shape[2]
        rows = [keras.ops.reshape(x, (-1, pixels, x.shape[3])) for x in (query, key, value)]
        return keras.ops.reshape(self._layer(Attend)(*rows), (-1, *value.shape[1:]))

    def unfold(self, x: Any, side: int) -> Any:
        """See `Ops.unfold`."""
        h, w, c = x.shape[1:]
        x = keras.ops.reshape(x, (-1, h // side, side, w // side, side, c))
        x = keras.ops.transpose(x, (0, 2, 4, 1, 3, 5))
        return keras.ops.reshape(x, (-1, side * side, h * w // side**2, c))

    def fold(self, x: Any, side: int, height: int) -> Any:
        """See `Ops.fold`."""
        columns, c = x.shape[2:]
        width = columns * side**2 // height
        x = keras.ops.reshape(x, (-1, side, side, height // side, width // side, c))
        x = keras.ops.transpose(x, (0, 3, 1, 4, 2, 5))
        return keras.ops.reshape(x, (-1, height, width, c))

    def row_softmax(self, x: Any) -> Any:
        """See `Ops.row_softmax`."""
        rows = keras.ops.reshape(x, (-1, x.shape[1], x.shape[2]))
        return keras.ops.reshape(keras.ops.softmax(rows, axis=-1), (-1, *x.shape[1:]))

    def row_sum(self, x: Any) -> Any:
        """See `Ops.row_sum`."""
        return keras.ops.sum(x, axis=2, keepdims=True)

    def height(self, x: Any) -> int:
        """See `Ops.height`."""
        return int(x.shape[1])

    def channel_mean(self, x: Any) -> Any:
        """See `Ops.channel_mean`."""
        return keras.ops.mean(x, axis=3, keepdims=True)

    def channel_max(self, x: Any) -> Any:
        """See `Ops.channel_max`."""
        return keras.ops.max(x, axis=3, keepdims=True)


class _InOrder:
    """`KerasOps` whose TensorFlow ops are named after their call, so that an export can sort them.

    A scope that ends in a slash is absolute: names stay short, and the same in every process.
    """

    def __init__(self, ops: KerasOps) -> None:
        self._ops, self._calls = ops, 0

    def part(self, name: str) -> AbstractContextManager[None]:
        return self._ops.part(name)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ops, name)

        def numbered(*arguments: Any, **options: Any) -> Any:
            self._calls += 1
            with tf.name_scope(f"op{self._calls:04d}/"):
                return method(*arguments, **options)

        return numbered


class Network(keras.Model):  # type: ignore[misc]
    """A network function as a Keras model: [B, H, W, input_channels] -> its output.

    Weights are drawn from Keras' global seed (`keras.utils.set_random_seed`).
    """

    def __init__(
        self,
        network: Callable[[Any, Any], Any],
        input_channels: int,
        name: str = "network",
        *,
        parts: Sequence[keras.layers.Layer] | None = None,
    ) -> None:
        """`parts`: layers to use, in the network's order, instead of new ones."""
        super().__init__(name=name)
        self.network, self.input_channels = network, input_channels
        ops = KerasOps(parts)
        network(ops, keras.Input((_BUILD_SIZE, _BUILD_SIZE, input_channels)))
        self.parts = ops.made if parts is None else list(parts)
        self.named = dict(ops.named)
        self.built = True

    def deployed(self) -> Network:
        """The network with every re-parameterised convolution merged: itself where it has none."""
        if not any(isinstance(part, Reparameterised) for part in self.parts):
            return self
        parts = [
            part.deployed() if isinstance(part, Reparameterised) else part for part in self.parts
        ]
        return Network(self.network, self.input_channels, parts=parts)

    def call(self, inputs: Any, with_taps: bool = False) -> Any:
        """Run the network; image sizes are static in every traced function."""
        ops = KerasOps(self.parts)
        output = self.network(_InOrder(ops), inputs)
        return (output, ops.taps) if with_taps else output

    def taps(self, inputs: Any, *, training: bool = False) -> tuple[Any, dict[str, Any]]:
        """The output, and by name the inputs of every named layer and what was tapped."""
        output, taps = self(inputs, with_taps=True, training=training)
        return output, taps

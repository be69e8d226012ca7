"""The tracing backend: a network function to a `Graph`, with no TensorFlow.

Emits what the TensorFlow Lite converter emits for the Keras backend, op by op,
except that activations stay ops of their own (`lower` splits fused ones anyway).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

from latency.graph import Graph, GraphError, Op, Shape, Tensor

from .protocol import Activation, Branches, Init, Interpolation, Padding

_ACTIVATIONS = {
    "relu": "RELU",
    "leaky_relu": "LEAKY_RELU",
    "prelu": "PRELU",
    "hard_swish": "HARD_SWISH",
    "tanh": "TANH",
    "sigmoid": "LOGISTIC",
}

_BEFORE_SHUFFLE = frozenset({"RELU", "TANH", "LOGISTIC", "EXP"})
"""What the converter moves before a DEPTH_TO_SPACE that nothing else reads."""

_NO_ATTRS: Mapping[str, Any] = {}
_MEAN_ATTRS: Mapping[str, Any] = {"axes": (1, 2), "keep_dims": True}
_Layer = tuple[Tensor, tuple[Shape, ...], Mapping[str, Any]]
"""What one layer adds to a graph besides ids: its output, its constants, its attributes."""


class TraceOps:
    """`Ops` over tensor ids. One instance traces one network."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []

    def input(self, shape: Shape) -> int:
        """Declare a graph input of NHWC `shape`."""
        self.tensors.append(Tensor(shape))
        return len(self.tensors) - 1

    def emit(
        self,
        kind: str,
        inputs: tuple[int, ...],
        output: Tensor,
        constants: tuple[Shape, ...] = (),
        attrs: Mapping[str, Any] = _NO_ATTRS,
    ) -> int:
        """Append one op and return the id of its `output`."""
        out = len(self.tensors)
        self.tensors.append(output)
        self.ops.append(Op(kind, inputs, (out,), constants, attrs))
        return out

    def channels(self, x: int) -> int:
        """See `Ops.channels`."""
        return self.tensors[x].shape[3]

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: Padding = "same",
        bias: bool = True,
        init: Init = "default",
        name: str | None = None,
        branches: Branches | None = None,
    ) -> int:
        """See `Ops.conv`; branches are merged in the graph."""
        return self.emit(
            "CONV_2D", (x,), *_conv(self.tensors[x].shape, channels, kernel, stride, padding)
        )

    def tap(self, x: int, name: str) -> int:
        """See `Ops.tap`."""
        return x

    def part(self, name: str) -> AbstractContextManager[None]:
        """See `Ops.part`: a graph has no names."""
        return nullcontext()

    def depthwise(self, x: int, kernel: int = 3, *, stride: int = 1) -> int:
        """See `Ops.depthwise`."""
        return self.emit(
            "DEPTHWISE_CONV_2D", (x,), *_depthwise(self.tensors[x].shape, kernel, stride)
        )

    def transposed_conv(self, x: int, channels: int, kernel: int = 2, *, stride: int = 2) -> int:
        """See `Ops.transposed_conv`."""
        n, h, w, c = self.tensors[x].shape
        shape = (n, h * stride, w * stride, channels)
        attrs = {"stride": (stride, stride), "padding": "SAME"}
        constants = ((channels, kernel, kernel, c), (channels,))
        return self.emit("TRANSPOSE_CONV", (x,), Tensor(shape), constants, attrs)

    def activation(self, x: int, kind: Activation) -> int:
        """See `Ops.activation`."""
        if kind == "linear":
            return x
        if kind == "relu" and self.ops and self.ops[-1].outputs == (x,):
            transposed = self.ops[-1]
            if transposed.kind == "TRANSPOSE_CONV":
                # The converter fuses them, in a version of the op that the delegate refuses.
                attrs = {**transposed.attrs, "activation": "RELU"}
                self.ops[-1] = dataclasses.replace(transposed, attrs=attrs)
                return x
        tensor = self.tensors[x]
        constants = ((1, 1, tensor.shape[3]),) if kind == "prelu" else ()
        return self.emit(_ACTIVATIONS[kind], (x,), tensor, constants)

    def add(self, x: int, y: int) -> int:
        """See `Ops.add`."""
        if self.tensors[x].shape[1:3] == (1, 1) and self._is_convolved(x) and self._is_convolved(y):
            # The converter takes the sum of two vectors for a bias, and flattens it.
            y = self.emit("RESHAPE", (y,), Tensor(self.tensors[y].shape[3:]))
        return self.emit("ADD", (x, y), self.tensors[x])

    def _is_convolved(self, x: int) -> bool:
        return any(x in op.outputs and op.kind == "CONV_2D" for op in self.ops)

    def multiply(self, x: int, y: int) -> int:
        """See `Ops.multiply`."""
        return self.emit("MUL", (x, y), self.tensors[x])

    def concat(self, tensors: Sequence[int]) -> int:
        """See `Ops.concat`."""
        n, h, w, _ = self.tensors[tensors[0]].shape
        channels = sum(self.tensors[t].shape[3] for t in tensors)
        return self.emit(
            "CONCATENATION", tuple(tensors), Tensor((n, h, w, channels)), (), {"axis": 3}
        )

    def max_pool(self, x: int, size: int = 2) -> int:
        """See `Ops.max_pool`."""
        return self._pool("MAX_POOL_2D", x, size)

    def average_pool(self, x: int, size: int = 2) -> int:
        """See `Ops.average_pool`."""
        return self._pool("AVERAGE_POOL_2D", x, size)

    def _pool(self, kind: str, x: int, size: int) -> int:
        n, h, w, c = self.tensors[x].shape
        attrs = {"stride": (size, size), "kernel": (size, size), "padding": "VALID"}
        return self.emit(kind, (x,), Tensor((n, h // size, w // size, c)), (), attrs)

    def global_average(self, x: int) -> int:
        """See `Ops.global_average`."""
        n, _, _, c = self.tensors[x].shape
        return self.emit("MEAN", (x,), Tensor((n, 1, 1, c)), (), _MEAN_ATTRS)

    def resize(self, x: int, factor: int, interpolation: Interpolation = "nearest") -> int:
        """See `Ops.resize`."""
        n, h, w, c = self.tensors[x].shape
        kind = "RESIZE_NEAREST_NEIGHBOR" if interpolation == "nearest" else "RESIZE_BILINEAR"
        attrs = {"align_corners": False, "half_pixel_centers": True}
        return self.emit(kind, (x,), Tensor((n, h * factor, w * factor, c)), (), attrs)

    def depth_to_space(self, x: int, block: int) -> int:
        """See `Ops.depth_to_space`."""
        n, h, w, c = self.tensors[x].shape
        if c % block**2:
            raise GraphError(f"DEPTH_TO_SPACE: {c} channels do not divide by {block}x{block}")
        shape = (n, h * block, w * block, c // block**2)
        return self.emit("DEPTH_TO_SPACE", (x,), Tensor(shape), (), {"block": block})

    def space_to_depth(self, x: int, block: int) -> int:
        """See `Ops.space_to_depth`."""
        n, h, w, c = self.tensors[x].shape
        if h % block or w % block:
            raise GraphError(f"SPACE_TO_DEPTH: {h}x{w} does not divide by {block}")
        shape = (n, h // block, w // block, c * block**2)
        return self.emit("SPACE_TO_DEPTH", (x,), Tensor(shape), (), {"block": block})

    def dilated_depthwise(
        self, x: int, kernel: int = 3, *, dilation: int = 1, padding: Padding = "same"
    ) -> int:
        """See `Ops.dilated_depthwise`."""
        n, h, w, c = self.tensors[x].shape
        span = dilation * (kernel - 1) + 1
        shape = (n, _strided(h, span, 1, padding), _strided(w, span, 1, padding), c)
        attrs = {"stride": (1, 1), "dilation": (dilation, dilation), "padding": padding.upper()}
        constants = ((1, kernel, kernel, c), (c,))
        return self.emit("DEPTHWISE_CONV_2D", (x,), Tensor(shape), constants, attrs)

    def channel_bias(self, x: int) -> int:
        """See `Ops.channel_bias`."""
        return self._with_constant("ADD", x, (1, 1, 1, self.channels(x)))

    def scale(self, x: int, factor: float) -> int:
        """See `Ops.scale`."""
        return self._with_constant("MUL", x, ())

    def shift(self, x: int, offset: float) -> int:
        """See `Ops.shift`."""
        return self._with_constant("ADD", x, ())

    def power(self, x: int, exponent: float) -> int:
        """See `Ops.power`."""
        return self._with_constant("POW", x, ())

    def _with_constant(self, kind: str, x: int, constant: Shape) -> int:
        return self.emit(kind, (x,), self.tensors[x], (constant,))

    def tone_curve(self, x: int) -> int:
        """See `Ops.tone_curve`."""
        square = self.scale(self.multiply(x, x), 3.0)
        return self.subtract(square, self.scale(self.power(x, 3.0), 2.0))

    def clip(self, x: int) -> int:
        """See `Ops.clip`."""
        return self.activation(self._with_constant("MINIMUM", x, ()), "relu")

    def subtract(self, x: int, y: int) -> int:
        """See `Ops.subtract`."""
        return self.emit("SUB", (x, y), self.tensors[x])

    def instance_norm(self, x: int, *, affine: bool = True) -> int:
        """See `Ops.instance_norm`."""
        tensor, per_channel = self.tensors[x], (self.channels(x),)
        mean = self.global_average(x)
        variance = self.global_average(self.emit("SQUARED_DIFFERENCE", (x, mean), tensor))
        centred = self.subtract(x, mean)
        stretch = self.shift(variance, 0.0)
        stretch = self.emit("RSQRT", (stretch,), self.tensors[stretch])
        y = self.multiply(centred, stretch)
        if not affine:
            return y
        y = self._with_constant("MUL", y, per_channel)
        return self._with_constant("ADD", y, per_channel)

    def channel_gates(self, x: int, kernel: int) -> int:
        """See `Ops.channel_gates`."""
        n, _, _, c = self.tensors[x].shape
        row = self.emit("RESHAPE", (x,), Tensor((n, 1, c, 1)), (), {"shape": (-1, 1, c, 1)})
        constants = ((1, 1, kernel, 1), (1,))
        attrs = {"stride": (1, 1), "dilation": (1, 1), "padding": "SAME"}
        row = self.emit("CONV_2D", (row,), Tensor((n, 1, c, 1)), constants, attrs)
        row = self.activation(row, "sigmoid")
        return self.emit("RESHAPE", (row,), Tensor((n, 1, 1, c)), (), {"shape": (-1, 1, 1, c)})

    def layer_norm(self, x: int) -> int:
        """See `Ops.layer_norm`."""
        tensor, per_channel = self.tensors[x], (self.channels(x),)
        mean = self.channel_mean(x)
        variance = self.channel_mean(self.emit("SQUARED_DIFFERENCE", (x, mean), tensor))
        centred = self.subtract(x, mean)
        stretch = self.shift(variance, 0.0)
        stretch = self.emit("RSQRT", (stretch,), self.tensors[stretch])
        y = self._with_constant("MUL", self.multiply(centred, stretch), per_channel)
        return self._with_constant("ADD", y, per_channel)

    def fixed_mix(self, x: int, matrix: Sequence[Sequence[float]]) -> int:
        """See `Ops.fixed_mix`."""
        return self.conv(x, len(matrix[0]), 1)

    def fixed_depthwise(self, x: int, taps: Sequence[Sequence[float]]) -> int:
        """See `Ops.fixed_depthwise`."""
        return self.depthwise(x, len(taps))

    def reflect_pad(self, x: int, amount: int) -> int:
        """See `Ops.reflect_pad`."""
        n, h, w, c = self.tensors[x].shape
        around = (amount, amount)
        attrs = {"paddings": ((0, 0), around, around, (0, 0)), "mode": "REFLECT"}
        shape = (n, h + 2 * amount, w + 2 * amount, c)
        return self.emit("MIRROR_PAD", (x,), Tensor(shape), (), attrs)

    def channel_range(self, x: int, begin: int, end: int) -> int:
        """See `Ops.channel_range`."""
        return self._slice(x, begin, end, (*self.tensors[x].shape[:3], end - begin))

    def channel(self, x: int, index: int) -> int:
        """See `Ops.channel`."""
        masks = {"shrink_axis_mask": 0b1000}
        return self._slice(x, index, index + 1, self.tensors[x].shape[:3], masks)

    def _slice(
        self, x: int, begin: int, end: int, shape: Shape, masks: dict[str, int] | None = None
    ) -> int:
        attrs = {
            "begin": (0, 0, 0, begin),
            "end": (0, 0, 0, end),
            "strides": (1, 1, 1, 1),
            "begin_mask": 0b0111,
            "end_mask": 0b0111,
            **(masks or {}),
        }
        return self.emit("STRIDED_SLICE", (x,), Tensor(shape), (), attrs)

    def stack(self, tensors: Sequence[int]) -> int:
        """See `Ops.stack`."""
        shape = (*self.tensors[tensors[0]].shape, len(tensors))
        return self.emit("PACK", tuple(tensors), Tensor(shape), (), {"axis": 3})

    def global_max(self, x: int) -> int:
        """See `Ops.global_max`."""
        return self._reduce("REDUCE_MAX", x, (1, 2))

    def exp(self, x: int) -> int:
        """See `Ops.exp`."""
        return self.emit("EXP", (x,), self.tensors[x])

    def divide(self, x: int, y: int) -> int:
        """See `Ops.divide`."""
        return self.emit("DIV", (x, y), self.tensors[x])

    def attend(self, query: int, key: int, value: int) -> int:
        """See `Ops.attend`."""
        n, h, w, c = self.tensors[value].shape
        q, k, v = (self._reshape(x, (n, h * w, self.channels(x))) for x in (query, key, value))
        attrs = {"adj_x": False, "adj_y": True}
        scores = self.emit("BATCH_MATMUL", (q, k), Tensor((n, h * w, h * w)), (), attrs)
        weights = self.emit("SOFTMAX", (scores,), self.tensors[scores])
        attrs = {"adj_x": False, "adj_y": False}
        y = self.emit("BATCH_MATMUL", (weights, v), self.tensors[v], (), attrs)
        return self._reshape(self._with_constant("MUL", y, (c,)), (n, h, w, c))

    def unfold(self, x: int, side: int) -> int:
        """See `Ops.unfold`."""
        n, h, w, c = self.tensors[x].shape
        if h % side or w % side:
            raise GraphError(f"unfold: {h}x{w} does not divide by {side}")
        x = self._reshape(x, (n, h // side, side, w // side, side, c))
        x = self._transpose(x, (0, 2, 4, 1, 3, 5))
        return self._reshape(x, (n, side * side, h * w // side**2, c))

    def fold(self, x: int, side: int, height: int) -> int:
        """See `Ops.fold`."""
        n, _, columns, c = self.tensors[x].shape
        width = columns * side**2 // height
        x = self._reshape(x, (n, side, side, height // side, width // side, c))
        x = self._transpose(x, (0, 3, 1, 4, 2, 5))
        return self._reshape(x, (n, height, width, c))

    def row_softmax(self, x: int) -> int:
        """See `Ops.row_softmax`."""
        shape = self.tensors[x].shape
        x = self._reshape(x, shape[:3])
        return self._reshape(self.emit("SOFTMAX", (x,), self.tensors[x]), shape)

    def row_sum(self, x: int) -> int:
        """See `Ops.row_sum`."""
        return self._reduce("SUM", x, (2,))

    def height(self, x: int) -> int:
        """See `Ops.height`."""
        return self.tensors[x].shape[1]

    def _reshape(self, x: int, shape: Shape) -> int:
        return self.emit("RESHAPE", (x,), Tensor(shape), (), {"shape": shape})

    def _transpose(self, x: int, order: tuple[int, ...]) -> int:
        shape = tuple(self.tensors[x].shape[axis] for axis in order)
        return self.emit("TRANSPOSE", (x,), Tensor(shape), (), {"perm": order})

    def channel_mean(self, x: int) -> int:
        """See `Ops.channel_mean`."""
        return self._reduce("MEAN", x, (3,))

    def channel_max(self, x: int) -> int:
        """See `Ops.channel_max`."""
        return self._reduce("REDUCE_MAX", x, (3,))

    def _reduce(self, kind: str, x: int, axes: tuple[int, ...]) -> int:
        shape = tuple(1 if i in axes else size for i, size in enumerate(self.tensors[x].shape))
        return self.emit(kind, (x,), Tensor(shape), (), {"axes": axes, "keep_dims": True})


def trace(network: Callable[[TraceOps, int], int], input_shape: tuple[int, int, int]) -> Graph:
    """The graph of `network` on one frame of `input_shape` (H, W, C)."""
    ops = TraceOps()
    x = ops.input((1, *input_shape))
    y = network(ops, x)
    _move_before_shuffles(ops, y)
    return Graph(tuple(ops.tensors), tuple(ops.ops), (x,), (y,))


def _move_before_shuffles(ops: TraceOps, output: int) -> None:
    """Turn `depth_to_space`, then an activation the other way round, as the converter does."""
    shuffles = {op.outputs[0]: op for op in ops.ops if op.kind == "DEPTH_TO_SPACE"}
    if not any(op.kind in _BEFORE_SHUFFLE and op.inputs[0] in shuffles for op in ops.ops):
        return
    readers = Counter(tensor for op in ops.ops for tensor in op.inputs)
    readers[output] += 1
    for op in list(ops.ops):
        between = op.inputs[0]
        if op.kind not in _BEFORE_SHUFFLE or between not in shuffles or readers[between] > 1:
            continue
        shuffle = shuffles[between]
        first = dataclasses.replace(op, inputs=shuffle.inputs, outputs=(between,))
        second = dataclasses.replace(shuffle, inputs=(between,), outputs=op.outputs)
        ops.tensors[between] = ops.tensors[shuffle.inputs[0]]
        ops.ops.remove(op)
        at = ops.ops.index(shuffle)
        ops.ops[at : at + 1] = [first, second]
        shuffles[op.outputs[0]] = second


# Networks repeat their layers, and so do the networks of one search space: of the convolutions
# in a thousand random UNets, 95 in 100 are found here, in a seventh of the time it takes to work
# them out. The attributes of equal layers are one object, which nobody may write to.


@lru_cache(maxsize=8192)
def _conv(source: Shape, channels: int, kernel: int, stride: int, padding: Padding) -> _Layer:
    n, h, w, c = source
    shape = (
        n,
        _strided(h, kernel, stride, padding),
        _strided(w, kernel, stride, padding),
        channels,
    )
    # The converter writes a zero bias for a convolution that has none.
    constants = ((channels, kernel, kernel, c), (channels,))
    attrs = {"stride": (stride, stride), "dilation": (1, 1), "padding": padding.upper()}
    return Tensor(shape), constants, attrs


@lru_cache(maxsize=8192)
def _depthwise(source: Shape, kernel: int, stride: int) -> _Layer:
    n, h, w, c = source
    shape = (n, -(-h // stride), -(-w // stride), c)
    constants = ((1, kernel, kernel, c), (c,))
    attrs = {"stride": (stride, stride), "dilation": (1, 1), "padding": "SAME"}
    return Tensor(shape), constants, attrs


def _strided(size: int, kernel: int, stride: int, padding: Padding) -> int:
    if padding == "valid":
        size = size - kernel + 1
    if size < 1:
        raise GraphError(f"CONV_2D: a {kernel}x{kernel} kernel does not fit its input")
    return -(-size // stride)

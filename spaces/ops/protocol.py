"""`Ops`: the vocabulary in which every block and network is written, once.

A network is a function `network(ops, x) -> y` of an `Ops` and an input tensor.
Called with the Keras backend it makes or runs a trainable model; called with
the trace backend it writes a `Graph` in well under a millisecond. Both backends
execute in the order of the calls, so the traced graph and the exported file
agree op by op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")

Padding = Literal["same", "valid"]
Interpolation = Literal["nearest", "bilinear"]
Activation = Literal["linear", "relu", "leaky_relu", "prelu", "hard_swish", "tanh", "sigmoid"]
Init = Literal["default", "random", "small", "identity", "zeros"]
Branches = Literal["erep", "repvgg", "ecb"]

LEAKY_SLOPE = 0.2
"""Negative slope of leaky ReLU, as in PUNET and the ENERZAi bokeh entry."""


class Ops(Protocol[T]):
    """Operations on one NHWC tensor type `T`; all are known to the TFLite GPU delegate."""

    def channels(self, x: T) -> int:
        """Number of channels of `x`."""
        ...

    def conv(
        self,
        x: T,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: Padding = "same",
        bias: bool = True,
        init: Init = "default",
        name: str | None = None,
        branches: Branches | None = None,
    ) -> T:
        """Square convolution. A `name` lets training find the layer and its input.

        With `branches` it is trained as several and merged for inference (stride 1, same
        padding, with bias): "erep" of SYENet, "repvgg", "ecb" (3x3 only).
        """
        ...

    def tap(self, x: T, name: str) -> T:
        """`x` itself, which training finds by `name`: features to distil or to judge."""
        ...

    def part(self, name: str) -> AbstractContextManager[None]:
        """Name what is made within, so that layers of two networks compare: `spaces.wiring`."""
        ...

    def depthwise(self, x: T, kernel: int = 3, *, stride: int = 1) -> T:
        """Depthwise convolution with multiplier 1, same padding, with bias."""
        ...

    def transposed_conv(self, x: T, channels: int, kernel: int = 2, *, stride: int = 2) -> T:
        """Transposed convolution, same padding, with bias; multiplies H and W by `stride`."""
        ...

    def activation(self, x: T, kind: Activation) -> T:
        """Point-wise non-linearity; "prelu" has one learned slope a channel."""
        ...

    def add(self, x: T, y: T) -> T:
        """Sum; `y` may be [1, 1, 1, C]."""
        ...

    def multiply(self, x: T, y: T) -> T:
        """Product; `y` may be [1, 1, 1, C]."""
        ...

    def concat(self, tensors: Sequence[T]) -> T:
        """Concatenation along the channels."""
        ...

    def max_pool(self, x: T, size: int = 2) -> T:
        """Max pooling with stride `size`; H and W are multiples of it."""
        ...

    def average_pool(self, x: T, size: int = 2) -> T:
        """Average pooling with stride `size`; H and W are multiples of it."""
        ...

    def global_average(self, x: T) -> T:
        """Mean over H and W, [1, 1, 1, C]."""
        ...

    def resize(self, x: T, factor: int, interpolation: Interpolation = "nearest") -> T:
        """H and W times `factor`, half-pixel centres."""
        ...

    def depth_to_space(self, x: T, block: int) -> T:
        """TensorFlow's channel order: output channel is the fastest-varying."""
        ...

    def space_to_depth(self, x: T, block: int) -> T:
        """Inverse of `depth_to_space`."""
        ...

    # -- what only published systems need ------------------------------------

    def dilated_depthwise(
        self, x: T, kernel: int = 3, *, dilation: int = 1, padding: Padding = "same"
    ) -> T:
        """Depthwise convolution of stride 1 with bias, its taps `dilation` apart."""
        ...

    def channel_bias(self, x: T) -> T:
        """Sum with one learned number a channel."""
        ...

    def scale(self, x: T, factor: float) -> T:
        """Product with a constant."""
        ...

    def shift(self, x: T, offset: float) -> T:
        """Sum with a constant."""
        ...

    def power(self, x: T, exponent: float) -> T:
        """`x ** exponent` of a non-negative `x`."""
        ...

    def tone_curve(self, x: T) -> T:
        """`3 x**2 - 2 x**3`: an S over 0..1."""
        ...

    def clip(self, x: T) -> T:
        """`x` cut to [0, 1]."""
        ...

    def subtract(self, x: T, y: T) -> T:
        """Difference `x - y` of two tensors of one shape."""
        ...

    def instance_norm(self, x: T, *, affine: bool = True) -> T:
        """Zero mean and unit variance over H and W, then a learned scale and shift a channel."""
        ...

    def channel_gates(self, x: T, kernel: int) -> T:
        """Sigmoid of [1, 1, 1, C] convolved along its channels, without bias."""
        ...

    def layer_norm(self, x: T) -> T:
        """Zero mean and unit variance over the channels of each pixel, learned scale and shift."""
        ...

    def fixed_mix(self, x: T, matrix: Sequence[Sequence[float]]) -> T:
        """1x1 convolution with a fixed `matrix`, a row for each channel of `x`."""
        ...

    def fixed_depthwise(self, x: T, taps: Sequence[Sequence[float]]) -> T:
        """The same fixed square of `taps` on every channel, same padding."""
        ...

    def reflect_pad(self, x: T, amount: int) -> T:
        """`amount` pixels mirrored outwards on all four sides, the edge not repeated."""
        ...

    def channel_range(self, x: T, begin: int, end: int) -> T:
        """Channels `begin` to `end` - 1."""
        ...

    def channel(self, x: T, index: int) -> T:
        """One channel as [1, H, W]: indexing, which the delegate refuses."""
        ...

    def stack(self, tensors: Sequence[T]) -> T:
        """Tensors of [1, H, W] as the channels of one [1, H, W, C]."""
        ...

    def global_max(self, x: T) -> T:
        """Maximum over H and W, [1, 1, 1, C]."""
        ...

    def exp(self, x: T) -> T:
        """e to the power of every value."""
        ...

    def divide(self, x: T, y: T) -> T:
        """Quotient `x / y` of two tensors of one shape."""
        ...

    def attend(self, query: T, key: T, value: T) -> T:
        """Every pixel's mean of all `value`s, weighed by the softmax of query times key.

        Times a learned number a channel, which starts at 0.1. [1, H, W, K], [1, H, W, K] and
        [1, H, W, C] -> [1, H, W, C]; (H W)^2 scores.
        """
        ...

    def unfold(self, x: T, side: int) -> T:
        """[1, H, W, C] -> [1, side^2, H W / side^2, C]: a row for each place in a square of pixels.

        As PyTorch does it, with tensors of rank 6, which the delegate refuses.
        """
        ...

    def fold(self, x: T, side: int, height: int) -> T:
        """Inverse of `unfold`; `height` is H."""
        ...

    def row_softmax(self, x: T) -> T:
        """Softmax along each row of [1, R, N, 1]."""
        ...

    def row_sum(self, x: T) -> T:
        """Sum along each row, [1, R, N, C] -> [1, R, 1, C]."""
        ...

    def height(self, x: T) -> int:
        """H of `x`, known in a trace; image sizes are static in every traced function."""
        ...

    def channel_mean(self, x: T) -> T:
        """Mean over the channels, [1, H, W, 1]."""
        ...

    def channel_max(self, x: T) -> T:
        """Maximum over the channels, [1, H, W, 1]."""
        ...


Network = Callable[[Ops[T], T], T]
"""A network: input tensor to output tensor, against any backend."""

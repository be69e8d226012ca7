"""Probes: small networks that each stress one kernel of the GPU delegate, to be timed.

Written once against `Ops` like the blocks, so that a suite is chosen from traced
graphs in milliseconds and only the chosen ones are built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from latency.graph import Graph
from spaces.ops.protocol import Ops
from spaces.ops.trace import trace

Size = Literal["phone", "small"]
Body = Callable[[Ops[Any], Any, int], Any]
"""A stack of one kind of kernel on `x` with the given number of channels."""

RESOLUTIONS: dict[Size, tuple[tuple[int, int], ...]] = {
    "phone": ((224, 224), (544, 960), (1088, 1920)),
    "small": ((64, 64), (128, 128), (192, 256)),
}
"""H, W by size: "phone" spans what camera networks see, "small" what a CPU times in seconds."""

_CHANNELS = (8, 16, 32, 64)
_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """One candidate: `kind` is what it stresses, `network(ops, x) -> y` its graph."""

    name: str
    kind: str
    input_shape: tuple[int, int, int]
    network: Callable[[Ops[Any], Any], Any]

    def trace(self) -> Graph:
        """The graph at the probe's own size."""
        return trace(self.network, self.input_shape)


def candidates(size: Size) -> Iterator[Probe]:
    """All probes of a size: every body at every resolution and number of channels."""
    for kind, body in BODIES.items():
        for height, width in RESOLUTIONS[size]:
            for channels in _CHANNELS:
                name = f"{kind}_{height}x{width}_c{channels}"
                yield Probe(name, kind, (height, width, 4), _network(body, channels))


def _network(body: Body, channels: int) -> Callable[[Ops[Any], Any], Any]:
    def network(ops: Ops[Any], x: Any) -> Any:
        # In and out through four channels: conversions of the same size for every probe.
        return ops.conv(body(ops, ops.conv(x, channels, 1), channels), 4, 1)

    return network


def _convolutions(kernel: int) -> Body:
    def body(ops: Ops[Any], x: Any, channels: int) -> Any:
        for _ in range(_REPEATS):
            x = ops.activation(ops.conv(x, channels, kernel), "relu")
        return x

    return body


def _depthwise(kernel: int, stride: int) -> Body:
    def body(ops: Ops[Any], x: Any, channels: int) -> Any:
        for _ in range(1 if stride > 1 else _REPEATS):
            x = ops.activation(ops.depthwise(x, kernel, stride=stride), "relu")
        return x

    return body


def _strided(ops: Ops[Any], x: Any, channels: int) -> Any:
    return ops.activation(ops.conv(x, 2 * channels, 3, stride=2), "relu")


def _hourglass(ops: Ops[Any], x: Any, channels: int) -> Any:
    down = ops.activation(ops.conv(x, 2 * channels, 3, stride=2), "relu")
    down = ops.activation(ops.conv(down, 2 * channels, 3), "relu")
    up = ops.transposed_conv(down, channels, 2)
    return ops.activation(ops.add(up, x), "relu")


def _unet(ops: Ops[Any], x: Any, channels: int) -> Any:
    down = ops.activation(ops.conv(ops.max_pool(x), 2 * channels, 3), "leaky_relu")
    up = ops.conv(ops.resize(down, 2, "bilinear"), channels, 1)
    return ops.activation(ops.conv(ops.concat([x, up]), channels, 3), "leaky_relu")


def _concat(ops: Ops[Any], x: Any, channels: int) -> Any:
    for _ in range(_REPEATS):
        x = ops.conv(ops.concat([x, ops.activation(x, "relu")]), channels, 1)
    return x


def _concat_unaligned(ops: Ops[Any], x: Any, channels: int) -> Any:
    for _ in range(_REPEATS):
        x = ops.conv(ops.concat([x, ops.conv(x, 3, 1)]), channels, 1)
    return x


def _attention(ops: Ops[Any], x: Any, channels: int) -> Any:
    for _ in range(_REPEATS):
        gate = ops.activation(ops.conv(ops.global_average(x), channels, 1), "sigmoid")
        x = ops.multiply(x, gate)
    return x


def _pixel_shuffle(ops: Ops[Any], x: Any, channels: int) -> Any:
    return ops.depth_to_space(ops.conv(ops.space_to_depth(x, 2), 4 * channels, 1), 2)


def _transposed(ops: Ops[Any], x: Any, channels: int) -> Any:
    return ops.transposed_conv(ops.conv(x, channels, 3, stride=2), channels, 4, stride=2)


def _resize(ops: Ops[Any], x: Any, channels: int) -> Any:
    return ops.resize(ops.average_pool(x), 2, "bilinear")


def _pointwise(ops: Ops[Any], x: Any, channels: int) -> Any:
    for _ in range(_REPEATS):
        x = ops.activation(ops.max_pool(ops.resize(x, 2)), "hard_swish")
    return x


BODIES: dict[str, Body] = {
    "conv1x1": _convolutions(1),
    "conv3x3": _convolutions(3),
    "conv5x5": _convolutions(5),
    "conv3x3_stride2": _strided,
    "depthwise3x3": _depthwise(3, 1),
    "depthwise5x5": _depthwise(5, 1),
    "depthwise3x3_stride2": _depthwise(3, 2),
    "transposed4x4": _transposed,
    "concat": _concat,
    "concat_unaligned": _concat_unaligned,
    "attention": _attention,
    "pixel_shuffle": _pixel_shuffle,
    "resize": _resize,
    "pool_resize": _pointwise,
    "hourglass": _hourglass,
    "unet": _unet,
}
"""What a probe may stress, by name."""

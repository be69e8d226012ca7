"""What a tile of a frame cannot know: how far the edge of a cut reaches into each tensor.

A tile that was cut out of a larger frame has padding where the frame goes on. `locality` follows
the pixels that such padding spoils through a graph, op by op, along rows and along columns. What
is left is what a run of the whole frame would give, so a frame can be put together from tiles
without a seam. Means and maxima over the whole frame are named, for they need all tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from .graph import Graph, GraphError, Op, Shape

AXES = (1, 2)
"""Rows and columns of an NHWC tensor."""


class NotLocalError(GraphError):
    """A network that cannot be run in tiles; the message names the op."""


@dataclass(frozen=True, slots=True)
class Span:
    """One tensor along one axis: `size` positions, `scale` of them for each of the input.

    `low` <= position < `high`: where its values are those of the whole frame although the tile
    was cut at both ends. Nowhere, where `low` >= `high`.
    """

    scale: Fraction
    size: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A mean, sum or extreme over the frame: tensor `source` to tensor `output`.

    `level`: how many others must be known before it, one after the other.
    """

    kind: str
    source: int
    output: int
    level: int


@dataclass(frozen=True, slots=True)
class Locality:
    """How a graph sees a tile. `spans`: tensor id -> (rows, columns); a tensor without is the
    same everywhere in the frame.

    `step`: (rows, columns) of the input that tiles may be apart by, or multiples of it: where they
    are, strides fall on the pixels that they fall on in the frame. `pools` stand in their order.
    """

    spans: Mapping[int, tuple[Span, Span]]
    step: tuple[int, int]
    pools: tuple[Pool, ...]


def locality(graph: Graph) -> Locality:
    """How `graph`, of one input and one output, sees a tile of its input's size.

    Raises `NotLocalError` for an op that looks beyond a neighbourhood and is no pooling over the
    whole frame, such as the attention between all pixels.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise NotLocalError("a network of several inputs or outputs cannot be run in tiles")
    rows, columns = (_followed(graph, axis) for axis in AXES)
    if graph.outputs[0] not in rows:
        raise NotLocalError("the output is no picture")
    spans = {tensor: (rows[tensor], columns[tensor]) for tensor in rows}
    step = tuple(
        math.lcm(*(s.scale.denominator for s in axis.values())) for axis in (rows, columns)
    )
    return Locality(spans, (step[0], step[1]), _pools(graph, spans))


def _followed(graph: Graph, axis: int) -> dict[int, Span]:
    """The spans of all tensors that extend along `axis` and are not the same all over it."""
    size = graph.tensors[graph.inputs[0]].shape[axis]
    spans = {graph.inputs[0]: Span(Fraction(1), size, 0, size)}
    for index, op in enumerate(graph.ops):
        read = [spans[tensor] for tensor in op.inputs if tensor in spans]
        if op.inputs and (not read or _is_pool(op)):
            continue
        rule = _RULES.get(op.kind)
        shapes = [graph.tensors[t].shape for t in (*op.inputs, *op.outputs)]
        span = rule(op, axis, read, shapes) if rule and read else None
        if span is None or any(graph.tensors[t].shape[axis] != span.size for t in op.outputs):
            raise NotLocalError(f"op {index} {op.kind} looks at the whole frame")
        spans |= dict.fromkeys(op.outputs, span)
    return spans


def _pools(graph: Graph, spans: Mapping[int, tuple[Span, Span]]) -> tuple[Pool, ...]:
    levels: dict[int, int] = {}
    pools = []
    for op in graph.ops:
        level = max([levels.get(tensor, 0) for tensor in op.inputs], default=0)
        if _is_pool(op) and op.inputs[0] in spans:
            pools.append(Pool(op.kind, op.inputs[0], op.outputs[0], level))
            level += 1
        levels |= dict.fromkeys(op.outputs, level)
    return tuple(pools)


def _is_pool(op: Op) -> bool:
    return op.kind in _POOLS and tuple(sorted(op.attrs.get("axes", ()))) == AXES


_POOLS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")
Rule = Callable[[Op, int, list[Span], list[Shape]], Span | None]
"""An op along an axis: the spans that it reads to the one that it writes. None: no rule fits."""


def _pixelwise(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    """Every pixel for itself; constants and inputs without a span are the same for all."""
    first = read[0]
    same = all((s.size, s.scale) == (first.size, first.scale) for s in read)
    if not same or not all(_is_uniform(c, axis) for c in op.constants):
        return None
    return Span(first.scale, first.size, max(s.low for s in read), min(s.high for s in read))


def _is_uniform(constant: Shape, axis: int) -> bool:
    """Whether a constant that is broadcast to NHWC is the same along `axis`."""
    place = axis - 4
    return len(constant) < -place or constant[place] == 1


def _along_channels(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    """A reduction, slice or concatenation that leaves rows and columns as they are."""
    axes = tuple(op.attrs.get("axes", (3,)))
    if axes not in ((3,), (-1,)) or op.attrs.get("axis", 3) not in (3, -1):
        return None
    return _pixelwise(op, axis, read, shapes)


def _window(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    """Convolution and pooling: output y reads y * stride - before and what follows it."""
    if len(op.inputs) != 1:
        return None
    span, place = read[0], axis - 1
    stride = op.attrs["stride"][place]
    side = op.attrs["kernel"][place] if "kernel" in op.attrs else op.constants[0][axis]
    reach = (side - 1) * op.attrs.get("dilation", (1, 1))[place] + 1
    if op.attrs.get("padding") == "VALID":
        size, before = (span.size - reach) // stride + 1, 0
    else:
        size = -(-span.size // stride)
        before = max((size - 1) * stride + reach - span.size, 0) // 2
    low = -(-(span.low + before) // stride)
    high = (span.high - reach + before) // stride + 1
    return Span(span.scale / stride, size, low, min(high, size))


def _transposed(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    """Input i is spread over outputs i * stride - before and what follows."""
    if len(op.inputs) != 1 or op.attrs.get("padding") == "VALID":
        return None
    span, stride, side = read[0], op.attrs["stride"][axis - 1], op.constants[0][axis]
    before = max(side - stride, 0) // 2
    low = max((span.low - 1) * stride + side - before, 0)
    high = span.high * stride - before
    return Span(span.scale * stride, span.size * stride, low, min(high, span.size * stride))


def _nearest(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    factor = _factor(axis, read, shapes)
    if factor is None or op.attrs.get("align_corners"):
        return None
    return _scaled(read[0], factor)


def _bilinear(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    """Output y reads the two inputs around (y + 1/2) / factor - 1/2."""
    factor = _factor(axis, read, shapes)
    if factor is None or op.attrs.get("align_corners") or not op.attrs.get("half_pixel_centers"):
        return None
    span = read[0]
    low = -(-(2 * factor * span.low + factor - 1) // 2)
    high = -(-(2 * factor * span.high - factor - 1) // 2)
    return Span(span.scale * factor, span.size * factor, low, high)


def _factor(axis: int, read: list[Span], shapes: list[Shape]) -> int | None:
    """By which a resize enlarges; None where that is no whole number."""
    size = shapes[-1][axis]
    return size // read[0].size if size % read[0].size == 0 else None


def _to_space(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    return _scaled(read[0], op.attrs["block"])


def _to_depth(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    span, block = read[0], op.attrs["block"]
    return Span(
        span.scale / block, span.size // block, -(-span.low // block), span.high // block
    )  # fmt: skip


def _padded(op: Op, axis: int, read: list[Span], shapes: list[Shape]) -> Span | None:
    before, after = op.attrs["paddings"][axis]
    span = read[0]
    size = span.size + before + after
    return Span(span.scale, size, span.low + before, span.high + before)


def _scaled(span: Span, factor: int) -> Span:
    return Span(span.scale * factor, span.size * factor, span.low * factor, span.high * factor)


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(
        (
            "ABS", "ADD", "CAST", "DEQUANTIZE", "DIV", "ELU", "EXP", "GELU", "HARD_SWISH",
            "LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "NEG", "POW", "PRELU",
            "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RSQRT", "SQRT", "SQUARE",
            "SQUARED_DIFFERENCE", "SUB", "TANH",
        ),
        _pixelwise,
    ),
    **dict.fromkeys(
        ("CONCATENATION", "MEAN", "PACK", "REDUCE_MAX", "REDUCE_MIN", "SPLIT", "STRIDED_SLICE",
         "SUM"),
        _along_channels,
    ),
    **dict.fromkeys(
        ("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"), _window
    ),
    "TRANSPOSE_CONV": _transposed,
    "RESIZE_NEAREST_NEIGHBOR": _nearest,
    "RESIZE_BILINEAR": _bilinear,
    "DEPTH_TO_SPACE": _to_space,
    "SPACE_TO_DEPTH": _to_depth,
    "PAD": _padded,
    "MIRROR_PAD": _padded,
}  # fmt: skip

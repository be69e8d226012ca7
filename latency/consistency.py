"""What makes an op impossible on any device: shapes and attributes that contradict each other.

A converter never writes such an op, a damaged or hostile file may. `read_tflite` refuses
them, so that everything behind it may rely on what is checked here. What a GPU refuses, but
another device runs, is not here but in `support`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .graph import Graph, GraphError, Op, Shape
from .support import REDUCTIONS

_MAX_ELEMENTS = 2**40
"""Of one tensor: a terabyte or more, which no phone holds."""

Flaw = Callable[[Op, Sequence[Shape], Sequence[Shape]], str | None]
"""(op, shapes of its inputs, of its outputs) -> what is wrong, if anything is"""


def check_ops(graph: Graph) -> None:
    """Raise `GraphError` naming the first op that contradicts itself."""
    shapes = [tensor.shape for tensor in graph.tensors]
    for index, op in enumerate(graph.ops):
        flaw = op_flaw(op, shapes)
        if flaw:
            raise GraphError(f"op {index} {op.kind}: {flaw}")


def op_flaw(op: Op, shapes: Sequence[Shape]) -> str | None:
    """Why no device can run `op`, or None. `shapes`: of all tensors; -1 is a size not yet known."""
    inputs, outputs = [shapes[t] for t in op.inputs], [shapes[t] for t in op.outputs]
    for shape in (*inputs, *outputs, *op.constants):
        if math.prod(max(size, 1) for size in shape) > _MAX_ELEMENTS:
            return f"a tensor of {_text(shape)}"
    if any(size < 1 for shape in op.constants for size in shape):
        return "an empty constant"
    for name in ("stride", "dilation", "kernel"):
        if name in op.attrs and not _positive_pair(op.attrs[name]):
            return f"{name} {op.attrs[name]}"
    if not inputs or not outputs:
        return None  # nothing that could be launched
    check = _CHECKS.get(op.kind)
    return check(op, inputs, outputs) if check else None


def _positive_pair(value: Any) -> bool:
    return len(value) == 2 and min(value) > 0


def _text(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "no dimensions"


def _weights(op: Op, inputs: Sequence[Shape]) -> Shape | None:
    """The shape of an op's weights: computed ones where it reads a second tensor."""
    if len(inputs) > 1:
        return inputs[1]
    return op.constants[0] if op.constants else None


def _convolution(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    weights = _weights(op, inputs)
    if len(inputs[0]) != 4 or len(outputs[0]) != 4:
        return f"{_text(inputs[0])} to {_text(outputs[0])} is no image to image"
    if weights is None or len(weights) != 4:
        return "no weights of rank 4"
    return _channel_flaw(op.kind, weights, inputs[0][3], outputs[0][3])


def _channel_flaw(kind: str, weights: Shape, source: int, target: int) -> str | None:
    if min(*weights, source, target) < 1:  # not known before the network runs
        return None
    if kind == "DEPTHWISE_CONV_2D":
        fits = weights[3] == target and target % source == 0
    elif kind == "TRANSPOSE_CONV":
        fits = (weights[3], weights[0]) == (source, target)
    else:  # in groups, if the weights take fewer channels than there are
        groups, rest = divmod(source, weights[3])
        fits = rest == 0 and weights[0] == target and target % groups == 0
    return None if fits else f"{_text(weights)} weights do not take {source} to {target} channels"


def _fully_connected(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    weights = _weights(op, inputs)
    return None if weights and len(weights) == 2 else "no weights of rank 2"


def _pool(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    ranks = len(inputs[0]), len(outputs[0])
    return None if ranks == (4, 4) else f"an input and output of ranks {ranks}, not 4"


def _block(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    if len(inputs[0]) != 4 or len(outputs[0]) != 4:
        return "input or output is not of rank 4"
    block = op.attrs.get("block", 0)
    return None if block > 0 else f"block size {block}"


def _axes(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    rank = len(inputs[0])
    outside = [axis for axis in op.attrs.get("axes", ()) if not -rank <= axis < max(rank, 1)]
    return f"axes {outside} of a tensor of rank {rank}" if outside else None


def _concatenation(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    rank = len(outputs[0])
    axis = op.attrs.get("axis", rank - 1)
    if not -rank <= axis < rank:
        return f"axis {axis} of a tensor of rank {rank}"
    odd = [shape for shape in inputs if len(shape) != rank]
    return f"{_text(odd[0])} joined to {_text(outputs[0])}" if odd else None


def _batch_matmul(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    factors = [*inputs, *op.constants]
    if len(factors) != 2 or min(map(len, factors)) < 2:
        return "needs two matrices"
    return None


def _padding(op: Op, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str | None:
    paddings = op.attrs.get("paddings")
    if paddings is None:
        return None
    if len(paddings) != len(inputs[0]) or len(outputs[0]) != len(inputs[0]):
        return f"{len(paddings)} paddings for {_text(inputs[0])}"
    return "a negative padding" if any(min(pair) < 0 for pair in paddings) else None


_CHECKS: Mapping[str, Flaw] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"), _convolution),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), _block),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _padding),
    **dict.fromkeys(REDUCTIONS, _axes),
    "BATCH_MATMUL": _batch_matmul,
    "CONCATENATION": _concatenation,
    "FULLY_CONNECTED": _fully_connected,
}

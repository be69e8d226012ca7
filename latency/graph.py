"""`Graph`: the ops and tensor shapes of one network, free of any device or framework.

A graph is what both sources of networks agree on: the tracing backend of
`spaces` writes one, `read_tflite` reads one from a file. Ops carry TensorFlow
Lite's builtin names and its weight layouts, so that a traced network and the
file exported from it are the same thing to `lower`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .record import record

Shape = tuple[int, ...]
"""NHWC for rank 4; batch is 1 wherever the GPU delegate is to run the graph."""


class GraphError(ValueError):
    """A network that cannot be represented or is inconsistent; the message names the op."""


@record
class Tensor:
    """A run-time tensor (an activation, not a weight)."""

    shape: Shape
    dtype: str = "float32"

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@record
class Op:
    """One operation in TensorFlow Lite's vocabulary.

    `kind`: builtin name, e.g. "CONV_2D", "TRANSPOSE_CONV", "LOGISTIC".
    `inputs`, `outputs`: ids of run-time tensors (indices of `Graph.tensors`).
    `constants`: shapes of the constant inputs in the file's order: weights as
        OHWI (CONV_2D, TRANSPOSE_CONV), 1HWC (DEPTHWISE_CONV_2D), OI
        (FULLY_CONNECTED), then the bias. Integer arguments (paddings, axes,
        sizes, permutations) are in `attrs`, not here.
    `attrs`: `stride` (h, w), `dilation` (h, w), `padding` "SAME" | "VALID",
        `kernel` (h, w) for pooling, `activation` (a fused one, e.g. "RELU"),
        `block` for DEPTH_TO_SPACE and SPACE_TO_DEPTH, `axes` and `keep_dims`
        for reductions, `axis` for concatenation and split, `paddings`
        ((before, after), ...), `begin`/`end`/`strides` and `*_mask` for slices,
        `align_corners` and `half_pixel_centers` for resizes. Absent means
        TensorFlow Lite's default.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: tuple[Shape, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """A network with fixed shapes: `ops` in execution order over `tensors`.

    `inputs` and `outputs` are tensor ids.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """Number of constant elements (weights and biases)."""
        return sum(math.prod(shape) for op in self.ops for shape in op.constants)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions, dense layers and matrix products, unpadded."""
        return sum(op_macs(op, self.tensors) for op in self.ops)


_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"})


def op_macs(op: Op, tensors: tuple[Tensor, ...]) -> int:
    """Multiply-accumulates of one op; 0 unless a convolution, dense layer or matrix product."""
    if op.kind == "BATCH_MATMUL" and len(op.inputs) == 2 and op.outputs:
        rows = tensors[op.inputs[0]].shape
        depth = rows[-2 if op.attrs.get("adj_x") else -1]
        return math.prod(tensors[op.outputs[0]].shape) * depth
    if op.kind not in _WEIGHTED or not (op.inputs and op.outputs):
        return 0
    if len(op.inputs) > 1:
        weights = tensors[op.inputs[1]].shape
    elif op.constants:
        weights = op.constants[0]
    else:
        return 0
    if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        per_pixel = math.prod(weights)
        return math.prod(tensors[op.outputs[0]].shape[:3]) * per_pixel
    if op.kind == "TRANSPOSE_CONV":
        return math.prod(tensors[op.inputs[0]].shape[:3]) * math.prod(weights)
    return math.prod(tensors[op.outputs[0]].shape[:-1]) * math.prod(weights)


def check_graph(graph: Graph) -> None:
    """Raise `GraphError` unless every tensor is written once, before it is read.

    The delegate's rewrites follow a tensor to its one producer: with two, they need not end.
    """
    written = set(graph.inputs)
    for index, op in enumerate(graph.ops):
        for tensor in op.inputs:
            if tensor not in written:
                raise GraphError(f"op {index} {op.kind} reads tensor {tensor} before it is written")
        for tensor in op.outputs:
            if tensor in written:
                raise GraphError(f"op {index} {op.kind} writes tensor {tensor}, which has a value")
            written.add(tensor)
    for tensor in graph.outputs:
        if tensor not in written:
            raise GraphError(f"graph output {tensor} is never written")

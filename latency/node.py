"""`Node` and `Program`: the delegate's working copy of a graph while it is rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .graph import Graph, Op, Shape

Padding = tuple[int, int, int, int]
"""Rows and columns added around an image: (top, bottom, left, right)."""


class Node:
    """One operation on its way to a kernel; mutable, unlike the `Op` it comes from.

    `inputs` are what the head operation reads, `extra_inputs` what absorbed
    element-wise operations read besides; `chain` names head and absorbed ones;
    `sources` are indices of the graph's ops; `pad` is a merged PAD.
    """

    __slots__ = (
        "attrs",
        "chain",
        "constants",
        "extra_inputs",
        "fused_constants",
        "inputs",
        "kind",
        "linkable",
        "outputs",
        "pad",
        "removed",
        "sources",
    )

    def __init__(
        self,
        kind: str,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        constants: tuple[Shape, ...],
        attrs: Mapping[str, Any],
        sources: tuple[int, ...],
    ) -> None:
        self.kind = kind
        self.inputs = inputs
        self.outputs = outputs
        self.constants = constants
        self.attrs = attrs
        self.sources = sources
        self.chain: tuple[str, ...] = (kind,)
        self.extra_inputs: tuple[int, ...] = ()
        self.fused_constants: tuple[Shape, ...] = ()
        self.pad: Padding | None = None
        self.linkable = False
        self.removed = False


class Program:
    """The delegated nodes in execution order with the tensors they touch.

    `shapes` starts as the graph's and grows with tensors between split-off
    operations. `inputs` and `outputs` are where the GPU partition meets the
    outside: graph inputs and outputs, or the CPU's tensors.
    """

    __slots__ = ("inputs", "nodes", "outputs", "shapes")

    def __init__(self, graph: Graph, delegated: Iterable[int]) -> None:
        self.shapes: list[Shape] = [tensor.shape for tensor in graph.tensors]
        self.nodes: list[Node] = []
        self.inputs, self.outputs = _boundary(graph, delegated)

    def uses(self) -> list[int]:
        """How many node inputs read each tensor; being a partition output counts as one."""
        counts = [0] * len(self.shapes)
        for node in self.nodes:
            for t in node.inputs:
                counts[t] += 1
            for t in node.extra_inputs:
                counts[t] += 1
        for t in self.outputs:
            counts[t] += 1
        return counts

    def drop_removed(self) -> None:
        """Forget the nodes marked `removed`."""
        self.nodes = [node for node in self.nodes if not node.removed]


def _boundary(graph: Graph, delegated: Iterable[int]) -> tuple[list[int], list[int]]:
    ops = graph.ops
    indices = delegated if isinstance(delegated, range) else frozenset(delegated)
    if len(indices) == len(ops):
        return list(graph.inputs), list(graph.outputs)
    inside: list[Op] = [ops[i] for i in sorted(indices)]
    outside = [op for i, op in enumerate(ops) if i not in indices]
    written = {t for op in inside for t in op.outputs}
    wanted = {t for op in outside for t in op.inputs} | set(graph.outputs)
    inputs = dict.fromkeys(t for op in inside for t in op.inputs if t not in written)
    outputs = [t for op in inside for t in op.outputs if t in wanted]
    return list(inputs), outputs

"""Which ops of a graph reach the GPU: the largest supported partition, and only that.

TensorFlow Lite cuts the execution plan into alternating GPU and CPU partitions
and, with the delegate's default `max_delegated_partitions = 1`, hands over the
one with most ops. Everything else stays on the CPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .graph import Graph, Op, Tensor
from .kernel import Fallback, cpu_fallback
from .support import all_plain, refusal

OUTSIDE = "supported, but outside the largest partition"
"""Why the CPU runs an op that the delegate has."""


def partition(graph: Graph) -> tuple[Sequence[int], tuple[Fallback, ...]]:
    """Indices of the ops the GPU runs, in order, and the rest as fallbacks."""
    tensors = graph.tensors
    plain = all_plain(tensors)
    reasons = [refusal(op, tensors, plain=plain) for op in graph.ops]
    if not any(reasons):
        return range(len(graph.ops)), ()
    parts = _partition_numbers(graph, reasons)
    sizes = Counter(part for part, reason in zip(parts, reasons, strict=True) if reason is None)
    # Of equally large partitions the first wins.
    largest = max(sizes, key=lambda part: (sizes[part], -part)) if sizes else -1
    delegated = [i for i, part in enumerate(parts) if part == largest]
    fallbacks = tuple(
        cpu_fallback(i, op, reasons[i] or OUTSIDE, tensors)
        for i, op in enumerate(graph.ops)
        if parts[i] != largest
    )
    return delegated, fallbacks


def on_cpu(graph: Graph) -> tuple[Sequence[int], tuple[Fallback, ...]]:
    """The same for a device that is a CPU: it runs every op whose sizes are known."""
    reasons = [_unknown_size(op, graph.tensors) for op in graph.ops]
    fallbacks = tuple(
        cpu_fallback(index, op, reason, graph.tensors)
        for index, (op, reason) in enumerate(zip(graph.ops, reasons, strict=True))
        if reason
    )
    return [index for index, reason in enumerate(reasons) if not reason], fallbacks


def _unknown_size(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if not op.inputs or not op.outputs:
        return "no run-time input or no output"
    shapes = [tensors[t].shape for t in (*op.inputs, *op.outputs)]
    return None if all(size > 0 for shape in shapes for size in shape) else "a size is not known"


def _partition_numbers(graph: Graph, reasons: Sequence[str | None]) -> list[int]:
    """The partition each op falls in, all of one partition on the same side.

    Partitions alternate between GPU and CPU, and an op joins the first one of
    its side whose predecessors hold everything it reads.
    """
    first_on_gpu = reasons[0] is None
    written_in: dict[int, int] = {}
    numbers: list[int] = []
    for op, reason in zip(graph.ops, reasons, strict=True):
        number = max((written_in.get(t, 0) for t in op.inputs), default=0)
        if (number % 2 == 0) != (first_on_gpu == (reason is None)):
            number += 1
        numbers.append(number)
        for t in op.outputs:
            written_in[t] = number
    return numbers

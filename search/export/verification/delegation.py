"""Where each op of a file runs on the phone, and what a sound export never holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from latency.explain import explain
from latency.gpu import Gpu
from latency.graph import Graph, Shape

Place = Literal["GPU", "fused", "folded", "CPU"]
"""A kernel of its own, part of another op's kernel, nothing to compute, or left to the CPU."""

_PLACES: dict[str, Place] = {"heads": "GPU", "joins": "fused", "vanishes": "folded", "CPU": "CPU"}
_FORBIDDEN = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "SHAPE", "PACK"})


@dataclass(frozen=True)
class CheckedOp:
    """One op: where the GPU delegate runs it. `kernels`: the numbers of the launches that compute
    it, `kernel`: what kind the first of them is. `why`: the CPU must, if it must."""

    index: int
    kind: str
    output_shape: Shape
    place: Place
    kernels: tuple[int, ...]
    kernel: str
    why: str


def checked_ops(graph: Graph, gpu: Gpu) -> tuple[CheckedOp, ...]:
    """The ops of `graph` on `gpu`, in their order. Raises `GraphError` like `lower`."""
    told = explain(graph, gpu)
    return tuple(
        CheckedOp(
            index=op.index,
            kind=op.kind,
            output_shape=op.output_shape,
            place=_PLACES[op.role],
            kernels=op.kernels,
            kernel=told.lowering.kernels[op.kernels[0]].kind if op.kernels else "",
            why=op.refusal,
        )
        for op in told.ops
    )


def left_to_cpu(ops: Iterable[CheckedOp]) -> tuple[str, ...]:
    """Which of `ops` the GPU delegate leaves to the CPU, and why."""
    return tuple(f"op {op.index} {op.kind}: {op.why}" for op in ops if op.place == "CPU")


def unsound_ops(graph: Graph) -> list[str]:
    """What a sound export never holds: variables, computed shapes, other batches, high ranks."""
    found = [f"op {i} {op.kind}" for i, op in enumerate(graph.ops) if op.kind in _FORBIDDEN]
    for index, tensor in enumerate(graph.tensors):
        if len(tensor.shape) > 4 or any(size < 1 for size in tensor.shape):
            found.append(f"tensor {index} of shape {tensor.shape}")
    found += [
        f"input of batch {graph.tensors[i].shape[0]}"
        for i in graph.inputs
        if graph.tensors[i].shape and graph.tensors[i].shape[0] != 1
    ]
    return found

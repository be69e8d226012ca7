"""`explain`: for each op of a graph, which kernel computes it and why, or who refuses it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .delegate import lower
from .gpu import Gpu
from .graph import Graph, Op, Shape
from .kernel import CONVERSIONS, Kernel, Lowering, slices
from .occupancy import occupancy
from .select_conv import constant_memory_limit, constant_weight_bytes, uses_winograd, winograd_tiles


@dataclass(frozen=True, slots=True)
class OpExplanation:
    """Where one op runs.

    `kernels`: numbers of the kernels that compute it, in `Explanation.lowering`; none
    where it is a no-op, or runs on the CPU (`refusal` then says why).
    `role`: "heads", "joins" (fused to another op's kernel), "vanishes" or "CPU".
    `why`: what decided the kernel, in words; empty where there was no choice.
    """

    index: int
    kind: str
    output_shape: Shape
    kernels: tuple[int, ...]
    role: str
    why: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A lowering told op by op."""

    lowering: Lowering
    ops: tuple[OpExplanation, ...]

    @property
    def kernel_counts(self) -> dict[str, int]:
        """Kernels by kind, most frequent first."""
        return dict(Counter(kernel.kind for kernel in self.lowering.kernels).most_common())


def explain(graph: Graph, gpu: Gpu) -> Explanation:
    """How the delegate runs `graph` on `gpu`. Raises `GraphError` like `lower`."""
    lowering = lower(graph, gpu)
    refused = {fallback.op_index: fallback.reason for fallback in lowering.fallbacks}
    computing: dict[int, list[int]] = {}
    for number, kernel in enumerate(lowering.kernels):
        for index in dict.fromkeys(kernel.ops):
            computing.setdefault(index, []).append(number)
    ops = tuple(
        _explain_op(
            graph, index, tuple(computing.get(index, ())), refused.get(index), lowering, gpu
        )
        for index in range(len(graph.ops))
    )
    return Explanation(lowering, ops)


def _explain_op(
    graph: Graph,
    index: int,
    kernels: tuple[int, ...],
    refusal: str | None,
    lowering: Lowering,
    gpu: Gpu,
) -> OpExplanation:
    op = graph.ops[index]
    shape = graph.tensors[op.outputs[0]].shape if op.outputs else ()
    if refusal is not None:
        return OpExplanation(index, op.kind, shape, (), "CPU", refusal=refusal)
    if not kernels:
        return OpExplanation(index, op.kind, shape, (), "vanishes", "changes nothing")
    head = lowering.kernels[kernels[0]]
    # The head's op comes first in its chain, but for padding and constants folded before it.
    heads = head.chain[:1] == (op.kind,) or len(head.ops) == 1
    role = "heads" if heads else "joins"
    return OpExplanation(index, op.kind, shape, kernels, role, _why(graph, op, head, gpu))


def _why(graph: Graph, op: Op, kernel: Kernel, gpu: Gpu) -> str:
    constant_weights = len(op.inputs) == 1 and op.constants
    if op.kind == "CONV_2D" and constant_weights and kernel.chain[:1] == ("CONV_2D",):
        return _why_convolution(graph, op, kernel, gpu)
    if op.kind == "DEPTHWISE_CONV_2D" and constant_weights and kernel.kind == "depthwise_generic":
        return _why_generic_depthwise(op, gpu)
    if kernel.kind == "concat_unaligned":
        return "a channel count is no multiple of 4"
    if kernel.kind == "broadcast":
        return "the first input is broadcast, so it cannot be fused"
    return ""


def _why_convolution(graph: Graph, op: Op, kernel: Kernel, gpu: Gpu) -> str:
    weights, out = op.constants[0], graph.tensors[op.outputs[0]].shape
    depths = f"{slices(weights[3])} to {slices(weights[0])} slices"
    if kernel.kind.startswith("winograd"):
        return f"3x3, {depths}, {winograd_tiles(out)} tiles"
    if kernel.kind == "fully_connected":
        return "1x1 on one pixel"
    if kernel.kind == "conv_grouped":
        return f"groups of {weights[3]} channels"
    limit, needed = constant_memory_limit(gpu), constant_weight_bytes(weights)
    if kernel.kind == "conv_constants":
        return f"{needed} B of weights fit {limit} B of constant memory"
    if kernel.kind != "conv_generic":
        return ""
    launch = occupancy(kernel, gpu)
    filled = f"{launch.rounds} round{'s' * (launch.rounds > 1)} of waves"
    if launch.lanes_used < 0.5:
        filled += f", {launch.lanes_used:.0%} of their lanes used"
    if limit and weights[0] > 32:
        return f"{weights[0]} > 32 output channels; {filled}"
    if limit:
        return f"{needed} B of weights > {limit} B of constant memory; {filled}"
    stride, dilation = op.attrs.get("stride", (1, 1)), op.attrs.get("dilation", (1, 1))
    if weights[1:3] == (3, 3) and not uses_winograd(weights, out, stride, dilation, gpu):
        return f"no Winograd: {depths}, stride {stride[0]}, {winograd_tiles(out)} tiles; {filled}"
    return filled


def _why_generic_depthwise(op: Op, gpu: Gpu) -> str:
    height, width = op.constants[0][1:3] if op.constants else (0, 0)
    stride = op.attrs.get("stride", (1, 1))
    if (height, width) != (3, 3):
        return f"{height}x{width}; the special kernel is 3x3"
    if stride != (1, 1):
        return f"stride {stride[0]}; the special kernel has stride 1"
    if gpu.family == "mali" and gpu.generation not in ("bifrost", "valhall-1"):
        return f"{gpu.generation} has no special 3x3 kernel"
    return "the special kernel needs dilation 1 and one pixel of padding around"


def kernel_title(kernel: Kernel) -> str:
    """A kernel in one line, e.g. "conv_constants: CONV_2D + TANH"."""
    if kernel.kind in CONVERSIONS:
        return kernel.kind
    return f"{kernel.kind}: {' + '.join(kernel.chain)}"

"""`Kernel` and `Fallback`: what one inference runs on the GPU and on the CPU.

Sizes follow the delegate's storage: fp16, channels in slices of four. Three
channels cost what four cost, thirteen what sixteen cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .graph import Op, Shape, Tensor, op_macs
from .record import record

FP16_BYTES = 2
FP32_BYTES = 4

CONVERSIONS = frozenset({"input_conversion", "output_conversion"})
"""Kernels between the caller's fp32 NHWC buffers and the delegate's fp16 slices."""


@record
class Kernel:
    """One GPU kernel launch. Equality ignores where in the file it came from.

    `kind`: the delegate's implementation, e.g. "conv_constants", "depthwise_3x3".
    `chain`: the fused operations, head first, e.g. ("CONV_2D", "TANH").
    `output_shape`: of the chain's last operation.
    `padded_macs`: multiply-accumulates with channels rounded up to four.
    `read_bytes`, `write_bytes`: activations, fused skip tensors included.
    `weight_bytes`: constants, fp16 and padded.
    `work_items`: size of the launched grid, before rounding to work-groups.
    `taps`: height x width of a convolution's or pooling's window, else 1.
    `input_shape`: of the head operation's first input (a Winograd kernel's: its convolution's).
    `ops`: indices of the graph's ops this kernel computes (several kernels may
        share one op, and one kernel may compute several).
    """

    kind: str
    chain: tuple[str, ...]
    output_shape: Shape
    padded_macs: int
    read_bytes: int
    write_bytes: int
    weight_bytes: int
    work_items: int
    taps: int = 1
    input_shape: Shape = ()
    ops: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Fallback:
    """One op that runs on the CPU: which, why, and how much work it is.

    `macs` are unpadded; `bytes` are the activations read and written, counted
    like a kernel's (fp16, padded channels), and 0 where a shape is not fixed.
    """

    op_index: int
    kind: str
    reason: str
    macs: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Lowering:
    """All kernels of one inference in launch order, and all ops left to the CPU."""

    kernels: tuple[Kernel, ...]
    fallbacks: tuple[Fallback, ...] = ()

    @property
    def padded_macs(self) -> int:
        """Multiply-accumulates of all kernels, channels padded to four."""
        return sum(kernel.padded_macs for kernel in self.kernels)

    @property
    def activation_bytes(self) -> int:
        """Activations moved by the network's kernels, without the two conversions."""
        return sum(
            kernel.read_bytes + kernel.write_bytes
            for kernel in self.kernels
            if kernel.kind not in CONVERSIONS
        )


def padded(channels: int) -> int:
    """`channels` rounded up to a multiple of four."""
    return (channels + 3) & ~3


def slices(channels: int) -> int:
    """Number of four-channel slices."""
    return (channels + 3) >> 2


def bhwc(shape: Shape) -> tuple[int, int, int, int]:
    """`shape` as the delegate lays it out: (batch, height, width, channels).

    Ranks above four, which only a CPU runs, have their leading dimensions multiplied together.
    """
    rank = len(shape)
    if rank == 4:
        return shape[0], shape[1], shape[2], shape[3]
    if rank == 3:
        return shape[0], 1, shape[1], shape[2]
    if rank == 2:
        return shape[0], 1, 1, shape[1]
    if rank > 4:
        return bhwc(_fold(shape))
    return (shape[0] if rank else 1), 1, 1, 1


def activation_bytes(shape: Shape) -> int:
    """Bytes of one activation in the delegate's fp16 storage."""
    if len(shape) == 4:
        n, h, w, c = shape
    else:
        n, h, w, c = bhwc(shape)
    return n * h * w * ((c + 3) & ~3) * FP16_BYTES


def constant_bytes(shape: Shape) -> int:
    """Bytes of a per-channel or full constant; a scalar is a kernel argument and costs nothing."""
    count = 1
    for size in shape[:-1]:
        count *= size
    last = shape[-1] if shape else 1
    return 0 if count * last == 1 else count * padded(last) * FP16_BYTES


def cpu_fallback(index: int, op: Op, reason: str, tensors: tuple[Tensor, ...]) -> Fallback:
    """The `Fallback` of `op`, which the GPU refuses for `reason`."""
    shapes = [tensors[t].shape for t in (*op.inputs, *op.outputs)]
    fixed = all(size > 0 for shape in shapes for size in shape)
    if not fixed:
        return Fallback(index, op.kind, reason)
    moved = sum(activation_bytes(_fold(shape)) for shape in shapes)
    return Fallback(index, op.kind, reason, op_macs(op, tensors), moved)


def _fold(shape: Shape) -> Shape:
    """`shape` with leading dimensions multiplied together until its rank is at most four."""
    while len(shape) > 4:
        shape = (shape[0] * shape[1], *shape[2:])
    return shape

"""Which kernel runs a convolution, and on how large a grid.

After `delegates/gpu/common/selectors` and `tasks/conv_*.cc`, `tasks/winograd.cc`,
`tasks/depthwise_conv*.cc`, `tasks/convolution_transposed*.cc`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from .gpu import Gpu
from .graph import Shape
from .kernel import FP16_BYTES, bhwc, padded, slices
from .node import Node
from .storage import too_large_for_image
from .transform import node_padding

Block = tuple[int, int, int]
"""Outputs one work-item computes: (columns, rows, slices)."""
Pair = tuple[int, int]
ConvChoice = tuple[str, int, int, int]
ConvChooser = Callable[[Shape, Shape, Shape, Pair, Pair], ConvChoice]

WINOGRAD = "winograd"

_CONSTANT_MEMORY_BYTES = {"3xx": 2560, "4xx": 2560, "5xx": 2560}
_CONSTANT_MEMORY_BYTES_6XX = 3584
_WINOGRAD_SLICES = {"adreno": 32}
_WINOGRAD_TILES = {"6xx": 128}


def grid(shape: tuple[int, int, int, int], block: Block = (1, 1, 1)) -> int:
    """Work-items for a (batch, height, width, channels) output."""
    n, h, w, c = shape
    return n * -(-w // block[0]) * -(-h // block[1]) * -(-slices(c) // block[2])


@lru_cache(maxsize=64)
def conv_chooser(gpu: Gpu) -> ConvChooser:
    """`conv_choice` on `gpu` that remembers what it chose.

    Networks repeat their layers, and so do the networks of one search space: of the
    convolutions in a thousand random UNets, 95 in 100 are remembered, which takes
    0.5 us where choosing takes 2.6. `stride` and `dilation` must be hashable.
    """
    return lru_cache(maxsize=8192)(partial(conv_choice, gpu))


def conv_choice(
    gpu: Gpu, weights: Shape, source: Shape, output: Shape, stride: Pair, dilation: Pair
) -> ConvChoice:
    """(kernel kind, work-items, padded MACs, weight bytes) of an ungrouped convolution.

    `weights` is OHWI, `source` and `output` are NHWC. Of kind "winograd" is only the name:
    those are three kernels.
    """
    n, h, w, c = output
    out_channels, kernel_h, kernel_w, in_channels = weights
    taps = kernel_h * kernel_w
    if taps == 1 and source[1] == source[2] == 1 and h == w == 1:
        kind, items = "fully_connected", n * slices(c)
    elif uses_winograd(weights, output, stride, dilation, gpu):
        return WINOGRAD, 0, 0, 0
    elif uses_constant_memory(weights, gpu):
        kind, items = "conv_constants", n * h * w
    else:
        shape = (n, h, w, c)
        kind, items = "conv_generic", grid(shape, conv_block(shape, taps, gpu))
    macs = n * h * w * taps * padded(in_channels) * padded(out_channels)
    return kind, items, macs, weight_bytes(weights, out_channels)


def uses_winograd(weights: Shape, output: Shape, stride: Pair, dilation: Pair, gpu: Gpu) -> bool:
    """Whether F(4x4, 3x3) replaces a direct convolution (`IsSuitableForWinograd4x4To6x6`)."""
    if weights[1:3] != (3, 3) or stride != (1, 1) or dilation != (1, 1) or gpu.family == "cpu":
        return False
    needed = _WINOGRAD_SLICES.get(gpu.family, 16)
    if slices(weights[3]) < needed or slices(weights[0]) < needed:
        return False
    tiles = winograd_tiles(output)
    if gpu.family == "adreno":
        return tiles >= _WINOGRAD_TILES.get(gpu.generation, 64)
    return tiles >= 32


def winograd_tiles(output: Shape) -> int:
    """Number of 4x4 output tiles."""
    n, h, w, _ = output
    return n * -(-w // 4) * -(-h // 4)


def uses_constant_memory(weights: Shape, gpu: Gpu) -> bool:
    """Whether an ungrouped convolution of OHWI `weights` is a ConvConstants kernel.

    Adreno only: all weights must fit in constant memory, in the cheaper of the
    two ways of packing four channels into a vector.
    """
    if gpu.family != "adreno" or weights[0] > 32:
        return False
    return constant_weight_bytes(weights) <= constant_memory_limit(gpu)


def constant_memory_limit(gpu: Gpu) -> int:
    """Bytes of weights that ConvConstants may hold; 0 where the GPU has no such kernel."""
    if gpu.family != "adreno":
        return 0
    return _CONSTANT_MEMORY_BYTES.get(gpu.generation, _CONSTANT_MEMORY_BYTES_6XX)


def constant_weight_bytes(weights: Shape) -> int:
    """Bytes of OHWI `weights` packed for constant memory."""
    out_channels, kernel_h, kernel_w, in_channels = weights
    src, dst = slices(in_channels), slices(out_channels)
    dot_form = out_channels % 4 != 0 and (
        in_channels % 4 == 0 or out_channels * src < in_channels * dst
    )
    values = out_channels * 4 * src if dot_form else in_channels * 4 * dst
    return kernel_h * kernel_w * values * FP16_BYTES


def conv_block(shape: tuple[int, int, int, int], kernel_size: int, gpu: Gpu) -> Block:
    """ConvGeneric's outputs per work-item, smaller where a large block would idle the GPU.

    `shape`: output (batch, height, width, channels). `kernel_size`: taps, h * w.
    """
    dst = slices(shape[3])
    tasks = grid(shape) / gpu.compute_units
    if gpu.family == "adreno":
        waves = tasks / gpu.wave_size
        if waves <= 6:
            return (1, 1, 1)
        if waves <= 12:
            return (2, 1, 1)
        return (2, 1, 2) if waves <= 24 else (2, 2, 2)
    if gpu.family == "mali":
        size = 1 if tasks <= 256 else 2 if tasks <= 1536 else 4 if tasks <= 4096 else 8
        if kernel_size > 1 and gpu.generation in ("midgard", "bifrost"):
            size = min(size, 4)
        odd = dst in (1, 3)
        if size == 8:
            return (2, 2, 1) if odd else (2, 2, 2)
        if size == 4:
            return (2, 2, 1) if odd else (2, 1, 2)
        return (size, 1, 1)
    return (1, 1, 1)


def depthwise_kind(node: Node, shapes: list[Shape], gpu: Gpu) -> str:
    """The special 3x3 kernel (four outputs an item) or the generic one."""
    weights, attrs = node.constants[0], node.attrs
    plain = (
        weights[1:3] == (3, 3)
        and shapes[node.inputs[0]][3] == shapes[node.outputs[0]][3]
        and attrs.get("stride", (1, 1)) == (1, 1)
        and attrs.get("dilation", (1, 1)) == (1, 1)
        and node_padding(node, shapes) == (1, 1, 1, 1)
    )
    if gpu.family == "mali" and (
        gpu.generation not in ("bifrost", "valhall-1")
        or too_large_for_image(shapes[node.inputs[0]], gpu)
    ):
        plain = False
    return "depthwise_3x3" if plain else "depthwise_generic"


def transposed_conv(node: Node, shapes: list[Shape], gpu: Gpu) -> tuple[str, int]:
    """Kernel kind and work-items of a TRANSPOSE_CONV."""
    out_channels, kernel_h, kernel_w, _ = node.constants[0]
    kernel, stride = (kernel_h, kernel_w), node.attrs.get("stride", (1, 1))
    source, target = bhwc(shapes[node.inputs[0]]), bhwc(shapes[node.outputs[0]])
    same = node.attrs.get("padding", "SAME") == "SAME"
    # A transposed convolution crops what its kernel writes beyond the output.
    crop = [
        max((size - 1) * s + k - out, 0) if same else 0
        for size, s, k, out in zip(source[1:3], stride, kernel, target[1:3], strict=True)
    ]
    per_input = grid((source[0], source[1], source[2], 4))
    if gpu.family == "adreno":
        if out_channels <= 4 and kernel == stride and crop == [0, 0]:
            return "transposed_conv_thin", per_input
        if out_channels <= 8 and kernel == (3, 3) and stride == (2, 2) and crop == [2, 2]:
            return "transposed_conv_3x3_thin", per_input
    if gpu.family in ("powervr", "apple") and stride == (2, 2):
        if kernel == (3, 3) and crop == [2, 2]:
            return "transposed_conv_3x3", grid((source[0], source[1], source[2], out_channels))
        if kernel == (4, 4) and crop == [2, 2]:
            return "transposed_conv_4x4", grid((source[0], source[1], source[2], out_channels))
    odd = slices(out_channels) in (1, 3)
    block = ((2, 4, 1) if gpu.family == "adreno" else (2, 2, 1)) if odd else (2, 2, 2)
    aligned = [
        -(-out // (s * b)) * s for out, s, b in zip(target[1:3], stride, block[1::-1], strict=True)
    ]
    return (
        "transposed_conv_generic",
        target[0] * aligned[0] * aligned[1] * -(-slices(out_channels) // block[2]),
    )


def weight_bytes(weights: Shape, bias_channels: int) -> int:
    """Bytes of OHWI (or OI) `weights` and a bias, both padded.

    The delegate gives every convolution a bias, so one without costs the same.
    """
    taps = 1
    for size in weights[1:-1]:
        taps *= size
    values = taps * padded(weights[0]) * padded(weights[-1]) + padded(bias_channels)
    return values * FP16_BYTES

"""From fused nodes to kernels: the implementation the delegate picks for each.

After `delegates/gpu/common/selectors/operation_selector.cc`. Kernels of one node
are launched together; what was fused into the node rides on the last of them.
"""

from __future__ import annotations

from collections.abc import Callable

from .gpu import Gpu
from .graph import Shape
from .kernel import FP32_BYTES, Kernel, activation_bytes, bhwc, constant_bytes, padded, slices
from .node import Node, Program
from .select_conv import (
    WINOGRAD,
    conv_block,
    conv_chooser,
    depthwise_kind,
    grid,
    transposed_conv,
    weight_bytes,
    winograd_tiles,
)
from .support import BINARY, REDUCTIONS, UNARY

_REDUCE_GROUP_ITEMS = 256


def select(program: Program, gpu: Gpu) -> tuple[Kernel, ...]:
    """The kernels of a fused `program`, conversions of its inputs and outputs included."""
    return _Selection(program, gpu).run()


class _Selection:
    """Emits kernels node by node."""

    def __init__(self, program: Program, gpu: Gpu) -> None:
        self.program = program
        self.shapes = program.shapes
        # A network repeats its few shapes.
        by_shape = {shape: activation_bytes(shape) for shape in set(program.shapes)}
        self.nbytes = [by_shape[shape] for shape in program.shapes]
        self.gpu = gpu
        self.choose_conv = conv_chooser(gpu)
        self.kernels: list[Kernel] = []

    def run(self) -> tuple[Kernel, ...]:
        for t in self.program.inputs:
            self._conversion("input_conversion", t)
        for node in self.program.nodes:
            _EMITTERS.get(node.kind, _Selection.other)(self, node)
        for t in self.program.outputs:
            self._conversion("output_conversion", t)
        return tuple(self.kernels)

    def _conversion(self, kind: str, tensor: int) -> None:
        shape = self.shapes[tensor]
        n, h, w, c = bhwc(shape)
        outside, inside = n * h * w * c * FP32_BYTES, self.nbytes[tensor]
        read, write = (outside, inside) if kind == "input_conversion" else (inside, outside)
        self.kernels.append(
            Kernel(kind, (), shape, 0, read, write, 0, grid((n, h, w, c)), 1, shape)
        )

    def emit(
        self,
        node: Node,
        kind: str,
        items: int,
        macs: int = 0,
        weights: int = 0,
        read: int | None = None,
        taps: int = 1,
    ) -> None:
        """Append the last (mostly only) kernel of `node`, with all that is fused into it.

        `read`: bytes the head operation reads, where that is not its inputs' size.
        """
        nbytes = self.nbytes
        if read is None:
            read = 0
            for t in node.inputs:
                read += nbytes[t]
        for t in node.extra_inputs:
            read += nbytes[t]
        write = 0
        for t in node.outputs:
            write += nbytes[t]
        for constant in node.fused_constants:
            weights += constant_bytes(constant)
        shapes = self.shapes
        shape, source = shapes[node.outputs[0]], shapes[node.inputs[0]]
        self.kernels.append(
            Kernel(
                kind, node.chain, shape, macs, read, write, weights, items, taps, source,
                node.sources,
            )
        )  # fmt: skip

    def helper(
        self,
        node: Node,
        kind: str,
        shape: Shape,
        read: int,
        items: int,
        macs: int = 0,
        weights: int = 0,
        taps: int = 1,
    ) -> int:
        """Append a kernel before the last one of `node`; return the bytes it writes to `shape`."""
        write = activation_bytes(shape)
        source = self.shapes[node.inputs[0]]
        self.kernels.append(
            Kernel(
                kind, node.chain[:1], shape, macs, read, write, weights, items, taps, source,
                node.sources,
            )
        )  # fmt: skip
        return write

    def conv(self, node: Node) -> None:
        if len(node.inputs) > 1:
            self.conv_of_runtime_weights(node, self.shapes[node.inputs[1]])
            return
        weights = node.constants[0]
        source, out = self.shapes[node.inputs[0]], self.shapes[node.outputs[0]]
        out_channels, kernel_h, kernel_w, in_channels = weights
        groups = source[3] // in_channels
        if groups > 1:
            if in_channels == 1 and source[3] == out_channels:
                self.depthwise(node)
            else:
                self.grouped(node, groups, kernel_h * kernel_w)
            return
        stride, dilation = node.attrs.get("stride", (1, 1)), node.attrs.get("dilation", (1, 1))
        kind, items, macs, constants = self.choose_conv(weights, source, out, stride, dilation)
        if kind == WINOGRAD:
            self.winograd(node, in_channels, out_channels)
        else:
            self.emit(node, kind, items, macs, constants, taps=kernel_h * kernel_w)

    def winograd(self, node: Node, in_channels: int, out_channels: int) -> None:
        """Three kernels: input transform, 36 matrix products, output transform with the bias."""
        tiles = winograd_tiles(self.shapes[node.outputs[0]])
        source = (1, 36, tiles, in_channels)
        product = (1, 36, tiles, out_channels)
        read = self.helper(
            node,
            "winograd_input",
            source,
            self.nbytes[node.inputs[0]],
            tiles * 6 * slices(in_channels),
        )
        macs = 36 * tiles * padded(in_channels) * padded(out_channels)
        block = conv_block(product, 1, self.gpu)
        constants = 36 * weight_bytes((out_channels, in_channels), 0)
        read = self.helper(
            node, "winograd_matmul", product, read, grid(product, block), macs, constants, 9
        )
        bias = constant_bytes((out_channels,))
        self.emit(node, "winograd_output", tiles * 4 * slices(out_channels), 0, bias, read)

    def grouped(self, node: Node, groups: int, taps: int) -> None:
        """One kernel where both group sizes fill slices, else split, a kernel a group, concat."""
        out_channels, kernel_h, kernel_w, group_in = node.constants[0]
        group_out = out_channels // groups
        source, (n, h, w, c) = self.shapes[node.inputs[0]], self.shapes[node.outputs[0]]
        weights = weight_bytes((group_out, kernel_h, kernel_w, group_in), group_out)
        macs = n * h * w * taps * padded(group_in) * padded(group_out)
        if group_in % 4 == 0 and group_out % 4 == 0:
            items = grid((n, h, w, c))
            self.emit(node, "conv_grouped", items, groups * macs, groups * weights, taps=taps)
            return
        part_in, part_out = (*source[:3], group_in), (n, h, w, group_out)
        self.helper(node, "split", source, self.nbytes[node.inputs[0]], grid(bhwc(source)))
        items = grid(part_out, conv_block(part_out, taps, self.gpu))
        read = 0
        for _ in range(groups):
            part = activation_bytes(part_in)
            read += self.helper(node, "conv_generic", part_out, part, items, macs, weights, taps)
        kind = "concat_aligned" if group_out % 4 == 0 else "concat_unaligned"
        self.emit(node, kind, n * h * w, 0, 0, read)

    def conv_of_runtime_weights(self, node: Node, weights: Shape) -> None:
        """Another tensor is the filter: one kernel rearranges it, the next convolves."""
        taps = weights[1] * weights[2]
        n, h, w, c = bhwc(self.shapes[node.outputs[0]])
        rearranged = self.helper(
            node,
            "weights_rearrange",
            weights,
            self.nbytes[node.inputs[1]],
            grid(bhwc(weights)),
        )
        macs = n * h * w * taps * padded(weights[3]) * padded(weights[0])
        items = grid((n, h, w, c), conv_block((n, h, w, c), taps, self.gpu))
        read = self.nbytes[node.inputs[0]] + rearranged
        self.emit(node, "conv_generic", items, macs, 0, read, taps)

    def batch_matmul(self, node: Node) -> None:
        """A transposition of the second factor, then a 1x1 convolution with it as filter."""
        n, h, w, c = bhwc(self.shapes[node.outputs[0]])
        inner = self.shapes[node.inputs[0]][-1]
        factor = node.constants[0] if node.constants else self.shapes[node.inputs[1]]
        second = activation_bytes(factor)
        self.helper(node, "transpose", factor, second, grid(bhwc(factor)))
        self.helper(node, "weights_rearrange", factor, second, grid(bhwc(factor)))
        macs = n * h * w * padded(inner) * padded(c)
        items = grid((n, h, w, c), conv_block((n, h, w, c), 1, self.gpu))
        self.emit(node, "conv_generic", items, macs, 0, self.nbytes[node.inputs[0]] + second)

    def depthwise(self, node: Node) -> None:
        n, h, w, c = self.shapes[node.outputs[0]]
        if len(node.inputs) > 1:
            taps = self.shapes[node.inputs[1]][1] * self.shapes[node.inputs[1]][2]
            kind, weights = "depthwise_generic", 0
        else:
            _, kernel_h, kernel_w, _ = node.constants[0]
            taps = kernel_h * kernel_w
            kind = depthwise_kind(node, self.shapes, self.gpu)
            weights = weight_bytes((4, kernel_h, kernel_w, c), 4 * c) // 4
        block = (2, 2, 1) if kind == "depthwise_3x3" else (1, 1, 1)
        items = grid((n, h, w, c), block)
        self.emit(node, kind, items, n * h * w * taps * padded(c), weights, taps=taps)

    def transposed_conv(self, node: Node) -> None:
        if len(node.inputs) > 1:
            self.conv_of_runtime_weights(node, self.shapes[node.inputs[1]])
            return
        weights = node.constants[0]
        out_channels, kernel_h, kernel_w, in_channels = weights
        n, h, w, _ = self.shapes[node.inputs[0]]
        macs = n * h * w * kernel_h * kernel_w * padded(in_channels) * padded(out_channels)
        kind, items = transposed_conv(node, self.shapes, self.gpu)
        constants = weight_bytes(weights, out_channels)
        self.emit(node, kind, items, macs, constants, taps=kernel_h * kernel_w)

    def fully_connected(self, node: Node) -> None:
        if len(node.inputs) > 1:
            out_channels, in_channels = self.shapes[node.inputs[1]]
            self.conv_of_runtime_weights(node, (out_channels, 1, 1, in_channels))
            return
        weights = node.constants[0]
        n, h, w, c = bhwc(self.shapes[node.outputs[0]])
        macs = n * h * w * padded(weights[0]) * padded(weights[1])
        constants = weight_bytes(weights, weights[0])
        if n * h * w == 1:
            self.emit(node, "fully_connected", slices(c), macs, constants)
        else:
            items = grid((n, h, w, c), conv_block((n, h, w, c), 1, self.gpu))
            self.emit(node, "conv_generic", items, macs, constants)

    def pool(self, node: Node) -> None:
        source, out = self.shapes[node.inputs[0]], self.shapes[node.outputs[0]]
        whole = node.attrs.get("kernel") == source[1:3] and out[1:3] == (1, 1)
        if node.kind == "AVERAGE_POOL_2D" and whole:
            self.reduce(node)
        else:
            kernel_h, kernel_w = node.attrs.get("kernel", (1, 1))
            self.emit(node, "pool", grid(bhwc(out)), taps=kernel_h * kernel_w)

    def reduce(self, node: Node) -> None:
        """One work-group of at most 256 items for each slice of the output."""
        n, h, w, c = bhwc(self.shapes[node.inputs[0]])
        outputs = grid(bhwc(self.shapes[node.outputs[0]]))
        reduced = max(n * h * w * slices(c) // max(outputs, 1), 1)
        self.emit(node, "reduce", outputs * min(reduced, _REDUCE_GROUP_ITEMS))

    def concat(self, node: Node) -> None:
        out = self.shapes[node.outputs[0]]
        n, h, w, c = bhwc(out)
        axis = node.attrs.get("axis", len(out) - 1)
        if axis % len(out) != len(out) - 1:
            self.emit(node, "concat_spatial", grid((n, h, w, c)))
            return
        channels = [self.shapes[t][-1] for t in node.inputs]
        channels += [constant[-1] for constant in node.constants if constant]
        aligned = all(count % 4 == 0 for count in channels)
        # One kernel for any number of inputs: a Mali-G76 was seen to join nine at once, where the
        # delegate's source of 2026 would chain kernels of eight.
        self.emit(node, "concat_aligned" if aligned else "concat_unaligned", n * h * w)

    def split(self, node: Node) -> None:
        if self.gpu.family != "mali":
            self.emit(node, "split", grid(bhwc(self.shapes[node.inputs[0]])))
            return
        source = self.shapes[node.inputs[0]]
        for t in node.outputs:
            # Mali slices each part out by itself.
            shape, nbytes = self.shapes[t], self.nbytes[t]
            items = grid(bhwc(shape))
            self.kernels.append(
                Kernel(
                    "slice", node.chain, shape, 0, nbytes, nbytes, 0, items, 1, source, node.sources
                )
            )

    def slice(self, node: Node) -> None:
        out = node.outputs[0]
        self.emit(node, "slice", grid(bhwc(self.shapes[out])), read=self.nbytes[out])

    def reshape(self, node: Node) -> None:
        ends = bhwc(self.shapes[node.inputs[0]]), bhwc(self.shapes[node.outputs[0]])
        aligned = ends[0][3] % 4 == 0 and ends[1][3] % 4 == 0
        self.emit(node, "reshape_aligned" if aligned else "reshape_unaligned", grid(ends[1]))

    def elementwise(self, node: Node) -> None:
        kind = "elementwise" if node.linkable else "broadcast"
        constants = sum(map(constant_bytes, node.constants))
        self.emit(node, kind, grid(bhwc(self.shapes[node.outputs[0]])), 0, constants)

    def other(self, node: Node) -> None:
        items = grid(bhwc(self.shapes[node.outputs[0]]))
        self.emit(node, _SIMPLE_KINDS.get(node.kind, node.kind.lower()), items)


_SIMPLE_KINDS = {
    "MIRROR_PAD": "pad",
    "PADV2": "pad",
    "RESIZE_BILINEAR": "resize",
    "RESIZE_NEAREST_NEIGHBOR": "resize",
    "SELECT_V2": "select",
}

_EMITTERS: dict[str, Callable[[_Selection, Node], None]] = {
    **dict.fromkeys(UNARY | BINARY, _Selection.elementwise),
    **dict.fromkeys(REDUCTIONS, _Selection.reduce),
    "AVERAGE_POOL_2D": _Selection.pool,
    "BATCH_MATMUL": _Selection.batch_matmul,
    "CONCATENATION": _Selection.concat,
    "CONV_2D": _Selection.conv,
    "DEPTHWISE_CONV_2D": _Selection.depthwise,
    "FULLY_CONNECTED": _Selection.fully_connected,
    "MAX_POOL_2D": _Selection.pool,
    "RESHAPE": _Selection.reshape,
    "SLICE": _Selection.slice,
    "SPLIT": _Selection.split,
    "SPLIT_V": _Selection.split,
    "STRIDED_SLICE": _Selection.slice,
    "TRANSPOSE_CONV": _Selection.transposed_conv,
}

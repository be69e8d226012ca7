"""The graph rewrites the delegate does before it chooses kernels.

After `delegates/gpu/common/transformations`: fused activations are split off,
no-ops removed, zero padding moved into the convolution or pooling that follows,
per-channel constant MUL and ADD folded into a neighbouring convolution.
"""

from __future__ import annotations

from collections.abc import Iterable

from .graph import Graph, Shape
from .kernel import bhwc
from .node import Node, Padding, Program

WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"})

_PAD_ABSORBERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
_MAYBE_IDENTITY = frozenset(
    {
        "RESHAPE",
        "SLICE",
        "STRIDED_SLICE",
        "CONCATENATION",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
    }
)


def transformed(graph: Graph, delegated: Iterable[int]) -> Program:
    """The delegated ops of `graph` after all rewrites, ready for fusion."""
    program = Program(graph, delegated)
    _expand(program, graph, delegated)
    mergeable = [
        node
        for node in program.nodes
        if node.kind == "PAD" or (node.constants and node.kind in ("MUL", "ADD"))
    ]
    if mergeable:
        _merge(program, mergeable)
        program.drop_removed()
    return program


def _expand(program: Program, graph: Graph, delegated: Iterable[int]) -> None:
    """Fill `program.nodes`: one node an op, one more for its activation, none for a no-op."""
    ops, shapes, nodes = graph.ops, program.shapes, program.nodes
    alias: dict[int, int] = {}
    entering, leaving = frozenset(program.inputs), frozenset(program.outputs)
    for index in delegated:
        op = ops[index]
        kind, inputs, outputs = op.kind, op.inputs, op.outputs
        constants, attrs = op.constants, op.attrs
        if alias:
            inputs = tuple([alias.get(t, t) for t in inputs])
        if kind in _MAYBE_IDENTITY and len(inputs) == 1 and not constants:
            source, target = inputs[0], outputs[0]
            no_op = bhwc(shapes[source]) == bhwc(shapes[target])
            if no_op and not (target in leaving and source in entering):
                alias[target] = source
                continue
        activation = attrs.get("activation") if attrs else None
        if len(inputs) == 2 and inputs[0] == inputs[1] and kind in ("ADD", "MUL"):
            # x + x runs as 2 * x, and x * x as a square.
            kind = "SQUARE" if kind == "MUL" else "MUL"
            inputs, constants, attrs = inputs[:1], (), {}
        if activation and activation != "NONE":
            shapes.append(shapes[outputs[0]])
            before = (len(shapes) - 1,)
            nodes.append(Node(kind, inputs, before, constants, attrs, (index,)))
            nodes.append(Node(activation, before, outputs, (), {}, (index,)))
        else:
            nodes.append(Node(kind, inputs, outputs, constants, attrs, (index,)))
    if alias:
        program.outputs = [alias.get(t, t) for t in program.outputs]


def _merge(program: Program, mergeable: list[Node]) -> None:
    """Fold padding and per-channel constants into convolutions, where nothing else reads them."""
    uses = program.uses()
    producer = {t: node for node in program.nodes for t in node.outputs}
    consumer = {t: node for node in program.nodes for t in node.inputs}
    outputs = frozenset(program.outputs)

    def sole_consumer(node: Node) -> Node | None:
        out = node.outputs[0]
        return consumer[out] if uses[out] == 1 and out not in outputs else None

    def remove_before(node: Node, follower: Node) -> None:
        follower.inputs = (*node.inputs[:1], *follower.inputs[1:])
        follower.sources = node.sources + follower.sources
        consumer[node.inputs[0]] = follower
        node.removed = True

    for node in mergeable:
        if node.kind == "PAD":
            pad = _spatial_zero_pad(node, program.shapes)
            follower = sole_consumer(node)
            if pad and follower and follower.kind in _PAD_ABSORBERS:
                follower.pad = pad
                remove_before(node, follower)
        elif _is_per_channel(node, program.shapes):
            source = node.inputs[0]
            before = producer.get(source)
            if before and _takes_constants(before) and uses[source] == 1:
                before.outputs = node.outputs
                before.sources += node.sources
                producer[node.outputs[0]] = before
                node.removed = True
    # Backwards, so that of two constants before a convolution the nearer goes first.
    for node in reversed(mergeable):
        if node.kind != "PAD" and not node.removed and _is_per_channel(node, program.shapes):
            follower = sole_consumer(node)
            if not follower or not _takes_constants(follower):
                continue
            if node.kind == "MUL" or _reads_inside_only(follower, program.shapes):
                remove_before(node, follower)


def _takes_constants(node: Node) -> bool:
    return node.kind in WEIGHTED and len(node.inputs) == 1


def _is_per_channel(node: Node, shapes: list[Shape]) -> bool:
    """Whether `node` scales or shifts one tensor by a scalar or one value a channel."""
    if len(node.inputs) != 1 or len(node.constants) != 1:
        return False
    constant, shape = node.constants[0], shapes[node.inputs[0]]
    if shapes[node.outputs[0]] != shape:
        return False
    channels = shape[-1:]
    return all(n == 1 for n in constant[:-1]) and constant[-1:] in ((), (1,), channels)


def _reads_inside_only(node: Node, shapes: list[Shape]) -> bool:
    """Whether an ADD may move behind this convolution: ungrouped, and no zeros around its input."""
    if node.kind != "CONV_2D" or node.constants[0][3] != shapes[node.inputs[0]][3]:
        return False
    return node_padding(node, shapes) == (0, 0, 0, 0)


def _spatial_zero_pad(node: Node, shapes: list[Shape]) -> Padding | None:
    """The padding of a PAD op on height and width alone, else None."""
    paddings = node.attrs.get("paddings")
    if paddings is None or len(paddings) != 4 or len(shapes[node.inputs[0]]) != 4:
        return None
    batch, rows, columns, channels = (tuple(p) for p in paddings)
    if batch != (0, 0) or channels != (0, 0):
        return None
    return (*rows, *columns)


def node_padding(node: Node, shapes: list[Shape]) -> Padding:
    """Zeros a convolution or pooling reads around its input, a merged PAD included."""
    top, bottom, left, right = node.pad or (0, 0, 0, 0)
    attrs = node.attrs
    if attrs.get("padding", "SAME") == "SAME":
        _, height, width, _ = shapes[node.inputs[0]]
        if node.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            kernel = attrs.get("kernel", (1, 1))
        else:
            kernel = node.constants[0][1:3] if node.constants else shapes[node.inputs[1]][1:3]
        stride, dilation = attrs.get("stride", (1, 1)), attrs.get("dilation", (1, 1))
        rows = _same_padding(height + top + bottom, kernel[0], stride[0], dilation[0])
        columns = _same_padding(width + left + right, kernel[1], stride[1], dilation[1])
        top, bottom = top + rows // 2, bottom + rows - rows // 2
        left, right = left + columns // 2, right + columns - columns // 2
    return top, bottom, left, right


def _same_padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Total padding of TensorFlow's SAME along one axis."""
    outputs = -(-size // stride)
    return max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)

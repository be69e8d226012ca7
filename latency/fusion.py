"""Element-wise fusion: which operations share one kernel.

After `delegates/gpu/common/gpu_model.cc` (`ConvertOperations`, `MergeNodes`):
first a tensor and its own element-wise functions that meet again collapse into
one operation (swish, gates), then every node absorbs the element-wise operation
that alone reads its output as first input.
"""

from __future__ import annotations

from .graph import Shape
from .kernel import bhwc
from .node import Node, Program
from .support import BINARY, UNARY


def fuse(program: Program) -> None:
    """Merge the nodes of `program` until each is one kernel (or one fixed set of kernels)."""
    _mark_linkable(program)
    uses = program.uses()
    _collapse_diamonds(program, uses)
    _absorb_consumers(program, uses)


def _mark_linkable(program: Program) -> None:
    """Find the nodes that may be absorbed, and order inputs so that more of them are."""
    shapes = program.shapes
    written: dict[int, int] = {}
    for position, node in enumerate(program.nodes):
        if node.kind in UNARY or node.kind in BINARY:
            if len(node.inputs) == 2:
                node.inputs = _ordered_inputs(node, shapes, written)
            node.linkable = _is_linkable(node, shapes)
        for t in node.outputs:
            written[t] = position


def _ordered_inputs(node: Node, shapes: list[Shape], written: dict[int, int]) -> tuple[int, ...]:
    """Inputs of a two-input operation with the one a producer can absorb through first.

    Of a sum or product the larger tensor comes first; of two full tensors the
    one written last, since the other is computed by then.
    """
    first, second = node.inputs
    if node.kind not in ("ADD", "MUL"):
        return node.inputs
    if shapes[first] == shapes[second]:
        # Not yet written inside the partition: an input, older than everything.
        # Of two such the delegate's parser has put the second one first.
        return (second, first) if written.get(second, -1) >= written.get(first, -1) else node.inputs
    a, b = bhwc(shapes[first]), bhwc(shapes[second])
    if a[1] <= b[1] and a[2] <= b[2] and a[3] == b[3]:
        return (second, first)
    return node.inputs


def _is_linkable(node: Node, shapes: list[Shape]) -> bool:
    """Whether an operation is element-wise in its first input.

    It is not when that input is broadcast, nor, for ADD, when channel counts
    differ other than one against many.
    """
    first = shapes[node.inputs[0]]
    if first != shapes[node.outputs[0]]:
        return False
    if node.kind != "ADD" or len(node.inputs) == 1:
        return True
    return bhwc(shapes[node.inputs[1]])[3] in (bhwc(first)[3], 1)


def _collapse_diamonds(program: Program, uses: list[int]) -> None:
    """Make one operation of `op(f(x), g(x))`, where f and g are element-wise or nothing."""
    collapsed_any = False
    producer: dict[int, Node] = {}
    for node in program.nodes:
        if node.linkable:
            if len(node.inputs) == 2:
                collapsed_any |= _collapse(node, producer, uses)
            producer[node.outputs[0]] = node
    if collapsed_any:
        program.drop_removed()


def _collapse(node: Node, producer: dict[int, Node], uses: list[int]) -> bool:
    """Whether both inputs of `node` were functions of one tensor, which it then reads alone."""
    first = _unary_ancestors(node.inputs[0], producer, uses)
    second = _unary_ancestors(node.inputs[1], producer, uses)
    root = next((t for t in first if t in second), None)
    if root is None:
        return False
    branch_nodes = [
        producer[t] for tensors in (first, second) for t in reversed(tensors[: tensors.index(root)])
    ]
    for branch in branch_nodes:
        branch.removed = True
    node.chain = tuple(name for n in branch_nodes for name in n.chain) + node.chain
    node.sources = tuple(sorted({i for n in (*branch_nodes, node) for i in n.sources}))
    node.fused_constants = tuple(
        c for n in branch_nodes for c in (*n.constants, *n.fused_constants)
    )
    node.inputs = (root,)
    uses[root] -= 1
    return True


def _unary_ancestors(tensor: int, producer: dict[int, Node], uses: list[int]) -> list[int]:
    """`tensor` and what it is an element-wise function of, nearest first."""
    found = [tensor]
    while uses[tensor] == 1:
        node = producer.get(tensor)
        if node is None or len(node.inputs) != 1:
            break
        tensor = node.inputs[0]
        found.append(tensor)
    return found


def _absorb_consumers(program: Program, uses: list[int]) -> None:
    """Let each node, in order, take in the element-wise operations that follow it alone."""
    consumer = {t: node for node in program.nodes for t in node.inputs}
    outputs = frozenset(program.outputs)
    ready = bytearray(len(program.shapes))
    for t in program.inputs:
        ready[t] = 1
    absorbed_any = False
    for node in program.nodes:
        if node.removed:
            continue
        for t in node.outputs:
            ready[t] = 1
        while len(node.outputs) == 1:
            out = node.outputs[0]
            if uses[out] != 1 or out in outputs:
                break
            follower = consumer[out]
            if not follower.linkable or follower.inputs[0] != out:
                break
            others = follower.inputs[1:]
            if others and not ready[others[0]]:
                break
            node.chain += follower.chain
            node.sources += follower.sources
            node.extra_inputs += others
            node.fused_constants += follower.constants + follower.fused_constants
            node.outputs = follower.outputs
            ready[node.outputs[0]] = 1
            follower.removed = absorbed_any = True
    if absorbed_any:
        program.drop_removed()

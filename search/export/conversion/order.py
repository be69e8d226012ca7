"""The ops of an exported file in the order in which the network was written.

The converter sorts ops that are ready at the same time in a way of its own, and the GPU delegate
fuses by the order in the file: a sum goes into the branch that is computed last. In the order of
the network function, file and trace fuse alike.
"""

from __future__ import annotations

import heapq
import re
import struct
from typing import Any

import tflite

from spaces.ops.keras_backend import CALL

_OFFSET_BYTES = 4
_OPERATORS = 10
"""Where a SubGraph's table holds its operators, by TensorFlow Lite's schema."""


def in_written_order(file: bytes) -> bytes:
    """The same file with its ops in the order of the calls that their tensors are named after.

    Only the vector that points to the operators changes, which the runtime runs in its order.
    """
    subgraph = tflite.Model.GetRootAs(file, 0).Subgraphs(0)
    operators = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
    names = [(subgraph.Tensors(i).Name() or b"").decode() for i in range(subgraph.TensorsLength())]
    reordered = bytearray(file)
    vector = subgraph._tab.Vector(subgraph._tab.Offset(_OPERATORS))
    for place, index in enumerate(_order(operators, names)):
        # A flatbuffer's offset counts from where it stands.
        here = vector + _OFFSET_BYTES * place
        struct.pack_into("<I", reordered, here, operators[index]._tab.Pos - here)
    return bytes(reordered)


def _order(operators: list[Any], names: list[str]) -> list[int]:
    """Indices of the operators: each after those that it needs, else as early as it was written."""
    outputs = [list(op.OutputsAsNumpy()) for op in operators]
    producer = {tensor: i for i, made in enumerate(outputs) for tensor in made}
    needed = [
        {producer[tensor] for tensor in op.InputsAsNumpy() if tensor in producer}
        for op in operators
    ]
    written = [_written(names[made[0]], i) for i, made in enumerate(outputs)]
    users: dict[int, list[int]] = {}
    for user, sources in enumerate(needed):
        for source in sources:
            users.setdefault(source, []).append(user)
    ready = [(written[i], i) for i, sources in enumerate(needed) if not sources]
    heapq.heapify(ready)
    order = []
    while ready:
        _, index = heapq.heappop(ready)
        order.append(index)
        for user in users.get(index, ()):
            needed[user].discard(index)
            if not needed[user]:
                heapq.heappush(ready, (written[user], user))
    return order


def _written(name: str, place: int) -> tuple[int, str, int]:
    """What to sort an op by: its call (a fused op's first), the step within that, its old place.

    Ops of the converter's own, such as those that unpack fp16 weights, come as soon as they can.
    """
    calls = [(int(number), step) for number, step in re.findall(CALL, name)]
    return (*min(calls, default=(-1, "")), place)

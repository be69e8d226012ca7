"""Any traced network as a list of its operations in execution order."""

from __future__ import annotations

import html
from itertools import groupby

from latency.graph import Graph, Op

SHOWN = 80
"""Entries before the list is cut; PyNET has a thousand operations."""


def op_chain(graph: Graph) -> str:
    """HTML list: each op with its output shape, and its inputs where they are not just the last.

    Repeats of one op on one shape are counted, not repeated.
    """
    entries = _entries(graph)
    items = "".join(f"<li>{html.escape(text)}</li>" for text in entries[:SHOWN])
    more = len(entries) - SHOWN
    if more > 0:
        items += f'<li class="more">and {more} more</li>'
    return f'<ol class="chain" aria-label="Operations of the network">{items}</ol>'


def _entries(graph: Graph) -> list[str]:
    source = {t: f"input {i + 1}" for i, t in enumerate(graph.inputs)}
    described = []
    for number, op in enumerate(graph.ops, start=1):
        source.update(dict.fromkeys(op.outputs, f"#{number}"))
        before = graph.ops[number - 2].outputs if number > 1 else graph.inputs
        straight = op.inputs == before
        origin = "" if straight else f" of {', '.join(source[t] for t in op.inputs)}"
        shape = " x ".join(str(size) for size in graph.tensors[op.outputs[0]].shape[1:])
        described.append((number, f"{_name(op)} to {shape}{origin}"))
    entries = []
    for text, run in groupby(described, key=lambda item: item[1]):
        numbers = [number for number, _ in run]
        first, last = numbers[0], numbers[-1]
        span = f"#{first}" if first == last else f"#{first} to #{last}"
        entries.append(f"{span} {text}")
    return entries


def _name(op: Op) -> str:
    """For example "CONV 3x3 stride 2"."""
    words = [op.kind.removesuffix("_2D").replace("_", " ")]
    if "CONV" in op.kind:
        words.append("{}x{}".format(*op.constants[0][1:3]))
    stride = op.attrs.get("stride", (1, 1))
    if max(stride) > 1:
        words.append(f"stride {stride[0]}")
    return " ".join(words)

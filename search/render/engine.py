"""A frame through a .tflite file with LiteRT, in tiles: what the whole frame at once would give.

Tiles overlap by what the network sees around a pixel. A network that takes means over the whole
frame (channel attention, instance norms) is run over all tiles once for each mean that needs the
ones before it, and then with all of them known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from latency import read_tflite
from latency.graph import Graph
from latency.receptive_field import Locality, NotLocalError, Pool, locality
from search.errors import UserError
from search.export.conversion.surgery import EditableFile

from .frame import Frame
from .tiling import Floats, Layout, layout, whole

Runner = Callable[..., list[Floats]]
"""A file as a function of its inputs."""


@dataclass(frozen=True)
class Plan:
    """How a frame of `size` (rows, columns) is run.

    `file` takes one tile of `layout`. `found`: None for a network that only runs whole.
    """

    file: bytes
    size: tuple[int, int]
    layout: Layout
    found: Locality | None

    @cached_property
    def graph(self) -> Graph:
        """Of `file`."""
        return read_tflite(self.file)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """What has to be known of the whole frame before the last pass over the tiles."""
        return self.found.pools if self.found and self.layout.count > 1 else ()

    @property
    def passes(self) -> int:
        """How often all tiles are run."""
        return 1 + max([pool.level + 1 for pool in self.pools], default=0)

    @property
    def scale(self) -> int:
        """Pixels a side of the picture for one of the network's input."""
        before, after = (self.graph.tensors[t].shape for t in (self.graph.inputs[0], self.output))
        return after[1] // before[1]

    @property
    def output(self) -> int:
        """The tensor of the picture."""
        return self.graph.outputs[0]


def plan(file: bytes, size: tuple[int, int], largest: tuple[int, int] | None = None) -> Plan:
    """How to run `file` on a frame of any `size`, in tiles no larger than `largest` if it can be.

    By default tiles are no larger than the input that the file was made for.
    Raises UserError for a file that takes or gives no float picture, for a network that only runs
    on a frame of its own size, and for one that needs tiles but means over the frame in 8 bits.
    """
    editable = EditableFile(file)
    graph, own = editable.graph, editable.size
    for tensor in (graph.tensors[t] for t in (*graph.inputs, *graph.outputs)):
        if tensor.dtype != "float32" or len(tensor.shape) != 4:
            raise UserError("the file takes or gives no float picture: render another precision")
    try:
        found = locality(graph)
    except NotLocalError as error:
        if size != own:
            raise UserError(
                f"{error}, so it cannot be run in tiles: its frame must be {own[0]} x {own[1]} "
                f"pixels of its input, this one is {size[0]} x {size[1]}"
            ) from error
        return Plan(file, size, whole(own), None)
    cut = layout(graph, found, size, largest)
    if cut.count > 1 and any(graph.tensors[p.output].dtype != "float32" for p in found.pools):
        raise UserError(
            "the file takes means over the frame in 8 bits, which tiles cannot share: render "
            "another precision"
        )
    resized = editable.resized(cut.size)
    return Plan(resized, size, cut, locality(read_tflite(resized)))


def render(plan: Plan, frame: Frame) -> Iterator[Floats]:
    """The picture of `frame`, [n, W, C] at a time from top to bottom, as the network gives it.

    In memory are one tile and one row of them. Raises what LiteRT raises.
    """
    rows, columns = (plan.scale * side for side in plan.size)
    left = rows
    for strip in _strips(plan, frame):
        yield strip[:left, :columns]
        left -= min(left, len(strip))


def in_8_bits(picture: Floats, of: str) -> npt.NDArray[np.uint8]:
    """A picture, or rows of one, as it is stored. Raises UserError for values that are no numbers;
    `of`: the photograph, for that."""
    if not np.isfinite(picture).all():
        raise UserError(f"the network gives values that are no numbers for {of}")
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _strips(plan: Plan, frame: Frame) -> Iterator[Floats]:
    """The same with what was added to the frame at its end."""
    if plan.found is None or plan.layout.count == 1:
        (picture,) = _runner(plan.file)(frame.window((0, 0), plan.layout.size))
        yield picture[0]
        return
    known: dict[int, Floats] = {}
    for level in range(plan.passes - 1):
        wanted = [pool for pool in plan.pools if pool.level == level]
        known |= _pooled(plan, plan.found, frame, wanted, known)
    run = _part(plan, known, [plan.output])
    yield from plan.layout.strips(
        plan.found.spans[plan.output],
        lambda corner: run(frame.window(corner, plan.layout.size))[0],
    )


def _pooled(
    plan: Plan, found: Locality, frame: Frame, pools: list[Pool], known: Mapping[int, Floats]
) -> dict[int, Floats]:
    """Means, sums and extremes over the frame, [1, 1, 1, C], from those that are `known`."""
    run = _part(plan, known, [pool.source for pool in pools])
    grids = [plan.layout.grid(found.spans[pool.source]) for pool in pools]
    parts: list[list[npt.NDArray[np.float64]]] = [[] for _ in pools]
    pixels = [0 for _ in pools]
    for rows in zip(*grids, strict=True):
        for tiles in zip(*rows, strict=True):
            outputs = run(frame.window(tiles[0].corner, plan.layout.size))
            for i, (pool, tile, output) in enumerate(zip(pools, tiles, outputs, strict=True)):
                piece = tile.cut(output)
                parts[i].append(_REDUCE[pool.kind](piece.astype(np.float64), axis=(0, 1)))
                pixels[i] += piece.shape[0] * piece.shape[1]
    values = {}
    for pool, part, count in zip(pools, parts, pixels, strict=True):
        value = _REDUCE[pool.kind](np.stack(part), axis=0)
        value = value / count if pool.kind == "MEAN" else value
        values[pool.output] = value.astype(np.float32).reshape(
            plan.graph.tensors[pool.output].shape
        )
    return values


_REDUCE: Mapping[str, Callable[..., Any]] = {
    "MEAN": np.sum,
    "SUM": np.sum,
    "REDUCE_MAX": np.max,
    "REDUCE_MIN": np.min,
}


def _part(
    plan: Plan, known: Mapping[int, Floats], wanted: list[int]
) -> Callable[[Floats], list[Floats]]:
    """The tensors `wanted` as a function of a tile, with what is `known` of the whole frame."""
    editable = EditableFile(plan.file)
    run = _runner(editable.part(list(known), wanted))
    return lambda tile: run(tile, *known.values())


def _runner(file: bytes) -> Runner:
    interpreter = Interpreter(model_content=file, num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(*values: Floats) -> list[Floats]:
        for entry, value in zip(inputs, values, strict=True):
            interpreter.set_tensor(entry["index"], value)
        interpreter.invoke()
        return [interpreter.get_tensor(entry["index"]) for entry in outputs]

    return run

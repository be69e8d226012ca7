"""Where the tiles of a frame lie, and which pixels each of them is to be believed for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latency.graph import Graph
from latency.receptive_field import Locality, Span

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Owned:
    """Positions `start` to `stop` of a tile's tensor along an axis, which no other tile gives."""

    start: int
    stop: int

    @property
    def part(self) -> slice:
        """For indexing."""
        return slice(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Tile:
    """`corner`: its first row and column in the frame. `rows`, `columns`: of one of its tensors."""

    corner: tuple[int, int]
    rows: Owned
    columns: Owned

    def cut(self, tensor: Floats) -> Floats:
        """What this tile alone gives of its tensor [1, h, w, C]."""
        return tensor[0, self.rows.part, self.columns.part]


@dataclass(frozen=True, slots=True)
class Cuts:
    """The tiles of one axis: the `size` of each, and where they begin.

    `overlap`: what neighbours must have in common at least. All in pixels of the input.
    """

    size: int
    origins: tuple[int, ...] = (0,)
    overlap: int = 0

    @property
    def covered(self) -> int:
        """What all of them cover: the frame, and what is added to its end to make them fit."""
        return self.origins[-1] + self.size

    def owned(self, span: Span) -> list[Owned]:
        """For each tile what it alone gives of a tensor: together they are all of it, once."""
        found, reached = [], 0
        for origin in self.origins:
            shift = int(span.scale * origin)
            high = span.size if origin == self.origins[-1] else span.high
            found.append(Owned(reached - shift, high))
            reached = shift + high
        return found


@dataclass(frozen=True, slots=True)
class Layout:
    """The tiles of a frame: `rows` and `columns`."""

    rows: Cuts
    columns: Cuts

    @property
    def size(self) -> tuple[int, int]:
        """Of a tile."""
        return self.rows.size, self.columns.size

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return len(self.rows.origins) * len(self.columns.origins)

    def grid(self, spans: tuple[Span, Span]) -> Iterator[list[Tile]]:
        """The tiles row by row, with what of a tensor of `spans` is to be taken from each."""
        lefts = list(zip(self.columns.origins, self.columns.owned(spans[1]), strict=True))
        for top, rows in zip(self.rows.origins, self.rows.owned(spans[0]), strict=True):
            yield [Tile((top, left), rows, columns) for left, columns in lefts]

    def strips(
        self, spans: tuple[Span, Span], run: Callable[[tuple[int, int]], Floats]
    ) -> Iterator[Floats]:
        """A tensor of `spans` all over the frame, [n, W, C] at a time from top to bottom.

        `run`: a tile's tensor [1, h, w, C], of its corner.
        """
        for row in self.grid(spans):
            yield np.concatenate([tile.cut(run(tile.corner)) for tile in row], axis=1)


def whole(size: tuple[int, int]) -> Layout:
    """A frame of `size` as one tile."""
    return Layout(Cuts(size[0]), Cuts(size[1]))


def layout(
    graph: Graph, found: Locality, frame: tuple[int, int], largest: tuple[int, int] | None = None
) -> Layout:
    """Tiles for `frame` (rows, columns), no larger than `largest`, by default `graph`'s own input.

    A frame that fits in one tile is one, run whole. Where neighbours would have to overlap by more
    than half, tiles are made as large as it takes for that.
    """
    shape = graph.tensors[graph.inputs[0]].shape[1:3]
    limit = largest or shape
    needed = [graph.outputs[0], *(pool.source for pool in found.pools)]
    rows, columns = (
        _cuts(frame[a], shape[a], limit[a], found.step[a], [found.spans[t][a] for t in needed])
        for a in (0, 1)
    )
    return Layout(rows, columns)


def _cuts(frame: int, own: int, limit: int, step: int, spans: Sequence[Span]) -> Cuts:
    """The tiles along an axis, as few as may be and no larger than those few have to be.

    `own`: the size of the input that `spans` are of.
    """
    lost = math.ceil(max(own - (span.high - span.low) / span.scale for span in spans))
    whole = _fitting(frame, own, step)
    largest = min(whole, _fitting(max(limit, 2 * lost + 1, lost + step), own, step))
    if largest == whole:
        return Cuts(whole)
    least = _fitting(lost + step, own, step)
    few = _count(whole, largest, lost, step)
    size = next(s for s in range(least, largest + 1, step) if _count(whole, s, lost, step) == few)
    last = whole - size
    return Cuts(size, (*range(0, last, _stride(size, lost, step)), last), lost)


def _count(whole: int, size: int, lost: int, step: int) -> int:
    return 1 + -(-(whole - size) // _stride(size, lost, step))


def _stride(size: int, lost: int, step: int) -> int:
    return (size - lost) // step * step


def _fitting(size: int, own: int, step: int) -> int:
    """The least size of at least `size` that is a multiple of `step` away from `own`."""
    return size + (own - size) % step

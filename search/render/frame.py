"""`Frame`: a photograph as a network's input, read piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data.pairs import Encoder
from search.data.raw import pack_bayer

_CELL = 2
"""Pixels a side of a mosaic's cell, which is one pixel of the network's input."""


@dataclass(frozen=True)
class Frame:
    """`pixels` as they are stored: an RGGB mosaic [H, W] with even sides, or a picture [H, W, C].

    `encode` makes network input of stored values, packed where they are a mosaic's.
    """

    pixels: npt.NDArray[Any]
    encode: Encoder

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the network's input."""
        height, width = self.pixels.shape[:2]
        return height // self._cell, width // self._cell

    @property
    def _cell(self) -> int:
        return _CELL if self.pixels.ndim == 2 else 1

    def window(self, corner: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Network input [1, h, w, C] from `corner` on, mirrored beyond the end of the frame."""
        rows, columns = (
            _Cut.of(start, length, side)
            for start, length, side in zip(corner, size, self.size, strict=True)
        )
        stored = self.pixels[rows.pixels(self._cell), columns.pixels(self._cell)]
        encoded = self.encode(pack_bayer(stored) if self._cell == _CELL else stored)
        if rows.missing or columns.missing:
            ends = [(0, rows.missing), (0, columns.missing), (0, 0)]
            encoded = np.pad(encoded, ends, mode="symmetric")
        return encoded[None, rows.skip :, columns.skip :]


@dataclass(frozen=True)
class _Cut:
    """Network pixels `start` to `stop` along an axis, `missing` to be mirrored after them, and the
    first `skip` to be left out of what results.
    """

    start: int
    stop: int
    missing: int
    skip: int

    @classmethod
    def of(cls, start: int, length: int, side: int) -> _Cut:
        """`length` pixels from `start` on of a frame of `side`.

        What is mirrored may lie before `start`: all tiles have to see the same beyond the end.
        """
        missing = max(start + length - side, 0)
        begin = max(min(start, side - missing), 0)
        return cls(begin, min(start + length, side), missing, start - begin)

    def pixels(self, cell: int) -> slice:
        """Of the stored frame, `cell` pixels for each of the network's."""
        return slice(cell * self.start, cell * self.stop)

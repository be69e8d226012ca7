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
        stored = self.pixels[
            tuple(
                slice(self._cell * start, self._cell * (start + length))
                for start, length in zip(corner, size, strict=True)
            )
        ]
        encoded = self.encode(pack_bayer(stored) if self._cell == _CELL else stored)
        missing = [(0, length - there) for length, there in zip(size, encoded.shape, strict=False)]
        if any(after for _, after in missing):
            encoded = np.pad(encoded, [*missing, (0, 0)], mode="symmetric")
        return encoded[None]

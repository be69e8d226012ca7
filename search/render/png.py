"""PNG files written strip by strip: Pillow's writer wants the whole picture in memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from search.artifacts import write_atomically

Rows = npt.NDArray[np.uint8]
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _BITS, _UP = 2, 8, 2
UPRIGHT = 1
"""The orientation of a picture that is shown as it is stored."""


def write_png(
    path: Path, size: tuple[int, int], strips: Iterable[Rows], orientation: int = UPRIGHT
) -> None:
    """An 8-bit RGB picture of `size` (rows, columns) from strips [n, W, 3], whole or not at all.

    `orientation`: as EXIF counts, 1 to 8; viewers turn the picture by it.
    Raises ValueError where the strips are not that picture.
    """
    write_atomically(path, lambda file: _write(file, size, strips, orientation))


def _write(
    file: IO[bytes], size: tuple[int, int], strips: Iterable[Rows], orientation: int
) -> None:
    height, width = size
    file.write(_SIGNATURE)
    _chunk(file, b"IHDR", struct.pack(">2I5B", width, height, _BITS, _RGB, 0, 0, 0))
    if orientation != UPRIGHT:
        _chunk(file, b"eXIf", _exif(orientation))
    packer = zlib.compressobj()
    above = np.zeros((1, width, 3), np.uint8)
    for strip in strips:
        if strip.shape[1:] != above.shape[1:] or strip.dtype != np.uint8:
            raise ValueError(f"a strip of {strip.shape} {strip.dtype} in a picture {width} wide")
        # Filter "up": what a pixel has more than the one above it, modulo 256.
        differences = strip - np.concatenate([above, strip[:-1]])
        lines = np.empty((len(strip), 1 + 3 * width), np.uint8)
        lines[:, 0] = _UP
        lines[:, 1:] = differences.reshape(len(strip), -1)
        _chunk(file, b"IDAT", packer.compress(lines.tobytes()))
        above = strip[-1:]
        height -= len(strip)
    if height:
        raise ValueError(f"{height} rows are missing")
    _chunk(file, b"IDAT", packer.flush())
    _chunk(file, b"IEND", b"")


def _chunk(file: IO[bytes], kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(struct.pack(">I", zlib.crc32(kind + content)))


def _exif(orientation: int) -> bytes:
    """A big-endian TIFF directory with one entry: tag 0x112, one SHORT."""
    return b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)

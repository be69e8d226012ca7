"""RAW files of cameras (DNG and what else LibRaw reads) as mosaics with their levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rawpy

from search.data.folders import SUFFIXES, ImageError, decode_mosaic
from search.data.raw import Sensor, to_rggb

Mosaic = npt.NDArray[np.uint16]
Gains = tuple[float, float, float]
_ORIENTATION_OF_FLIP = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}
"""LibRaw's counting of a turned or mirrored picture to EXIF's."""


@dataclass(frozen=True)
class RawPhoto:
    """One frame: an RGGB `mosaic` [H, W] with even sides and how its values are to be read.

    `sensor`: with the white balance that the camera chose, if it says one. `orientation`: EXIF's,
    1 is upright.
    """

    mosaic: Mosaic
    sensor: Sensor
    orientation: int = 1


def read_raw_photo(path: Path, sensor: Sensor, pattern: str | None = None) -> RawPhoto:
    """A frame from a camera's RAW file, or from a one-channel PNG or TIFF of 8 or 16 bits.

    An image says nothing of its sensor: it is read as of `sensor`, its mosaic begins as `pattern`
    says, RGGB by default. A RAW file says both; where it says no white balance, it has `sensor`'s.
    Raises `ImageError` for a file that is none, has no Bayer mosaic or does not fit `sensor`.
    """
    if is_camera_raw(path):
        return _read_camera_raw(path, sensor.gains)
    mosaic = to_rggb(decode_mosaic(path), pattern or "RGGB")
    if (most := mosaic.max()) >= 2**sensor.bit_depth:
        raise ImageError(
            path, f"holds {most}, more than the {sensor.bit_depth} bits of its sensor have: "
            "say its white level"
        )  # fmt: skip
    return RawPhoto(mosaic, sensor)


def is_camera_raw(path: Path) -> bool:
    """Whether a file is one that says its sensor's pattern and levels itself."""
    return path.suffix.lower() not in SUFFIXES


def _read_camera_raw(path: Path, typical: Gains) -> RawPhoto:
    try:
        with rawpy.imread(str(path)) as raw:
            return _photo(raw, path, typical)
    except rawpy.LibRawError as error:
        reason = error.args[0] if error.args else error
        said = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ImageError(path, f"not a RAW file that can be read ({said})") from error


def _photo(raw: Any, path: Path, typical: Gains) -> RawPhoto:
    pixels = raw.raw_image_visible
    if pixels is None or pixels.ndim != 2 or raw.num_colors != 3:
        raise ImageError(path, "has no Bayer mosaic (a linear, stacked or monochrome RAW)")
    sizes = raw.sizes
    cell = [
        [raw.raw_color(sizes.top_margin + row, sizes.left_margin + column) for column in (0, 1)]
        for row in (0, 1)
    ]
    names = raw.color_desc.decode()
    pattern = "".join(names[colour] for row in cell for colour in row)
    if sorted(pattern) != ["B", "G", "G", "R"] or raw.raw_pattern.shape != (2, 2):
        raise ImageError(path, f"its mosaic is {pattern} in {raw.raw_pattern.shape}, not Bayer's")
    black, white = raw.black_level_per_channel, raw.white_level
    lowest = min(black[colour] for row in cell for colour in row)
    mosaic = np.array(pixels)  # The file's own memory goes with it.
    for row in (0, 1):
        for column in (0, 1):
            if above := black[cell[row][column]] - lowest:
                plane = mosaic[row::2, column::2]
                plane -= np.minimum(plane, np.uint16(above))
    gains = _gains(raw.camera_whitebalance) or typical
    sensor = Sensor(int(white).bit_length(), lowest, white, gains)
    orientation = _ORIENTATION_OF_FLIP.get(sizes.flip, 1)
    return RawPhoto(to_rggb(mosaic, pattern), sensor, orientation)


def _gains(balance: list[float]) -> Gains | None:
    """(r, g, b) with g = 1 from LibRaw's (r, g, b, g2); None where the file does not say them."""
    red, green, blue = (float(value) for value in balance[:3])
    return (red / green, 1.0, blue / green) if min(red, green, blue) > 0 else None

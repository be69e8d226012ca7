"""RAW Bayer data: the sensor's settings, packing, flips that keep the phase, input encodings.

A mosaic is H x W of unsigned integers, RGGB: red at (0, 0), blue at (1, 1). Packed it is
H/2 x W/2 x 4 in the plane order of the published loaders of both RAW data sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from search.errors import UserError

RawEncoding = Literal["sensor_sqrt", "linear"]

PLANE_OFFSETS = ((1, 1), (0, 1), (0, 0), (1, 0))
"""(row, column) of the planes B, Gb, R, Gr inside their 2x2 cell, in packed order.

The names are the published loaders'; what they call Gb sits on the red row, where most
texts say Gr.
"""

TRANSPOSED_PLANES = (0, 3, 2, 1)
"""Mirroring RGGB at its diagonal swaps the two greens and keeps red and blue."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """How stored RAW integers are to be read; always explicit, never guessed from the dtype.

    `black_level`, `white_level`: in stored units. `gains`: (r, g, b) white-balance gains of a
    typical illuminant, used by the "sensor_sqrt" encoding only.
    """

    bit_depth: int
    black_level: float
    white_level: float
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pattern: Literal["RGGB"] = "RGGB"

    def __post_init__(self) -> None:
        if self.pattern != "RGGB":
            raise UserError(f"mosaic pattern {self.pattern!r} is not supported: crop it to RGGB")
        if not 0 <= self.black_level < self.white_level < 2**self.bit_depth:
            raise UserError(
                f"sensor levels black {self.black_level}, white {self.white_level} do not fit "
                f"{self.bit_depth} bits: need 0 <= black < white < {2**self.bit_depth}"
            )

    @property
    def plane_gains(self) -> npt.NDArray[np.float32]:
        """White-balance gain of each packed plane, shape (4,)."""
        red, green, blue = self.gains
        return np.array([blue, green, red, green], np.float32)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready settings; `Sensor.from_dict` is the inverse."""
        return {
            "bit_depth": self.bit_depth,
            "black_level": self.black_level,
            "white_level": self.white_level,
            "gains": list(self.gains),
            "pattern": self.pattern,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Sensor:
        """Rebuild a sensor from `to_dict`'s output."""
        red, green, blue = values["gains"]
        return cls(**{**values, "gains": (red, green, blue)})


_TO_RGGB = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}
"""Rows and columns to leave out at the start, so that a mosaic begins with red."""


def to_rggb(mosaic: npt.NDArray[Any], pattern: str) -> npt.NDArray[Any]:
    """A mosaic [H, W] of any Bayer `pattern`, cropped to RGGB and even sides; a view of it.

    `pattern`: the colours of the first two rows, two each. Raises `UserError` for any other.
    """
    if pattern not in _TO_RGGB:
        raise UserError(f"unknown Bayer pattern {pattern!r}: choose {', '.join(_TO_RGGB)}")
    row, column = _TO_RGGB[pattern]
    cropped = mosaic[row:, column:]
    height, width = (side // 2 * 2 for side in cropped.shape)
    if not height or not width:
        raise UserError(f"a mosaic of {mosaic.shape[0]}x{mosaic.shape[1]} has no whole Bayer cell")
    return cropped[:height, :width]


def at_levels(packed: npt.NDArray[Any], found: Sensor, wanted: Sensor) -> npt.NDArray[Any]:
    """Stored values of the sensor `found` as `wanted` would store the same light.

    Black goes to black and white to white, in float32; unchanged where the levels are the same.
    """
    if (found.black_level, found.white_level) == (wanted.black_level, wanted.white_level):
        return packed
    scale = (wanted.white_level - wanted.black_level) / (found.white_level - found.black_level)
    values = packed.astype(np.float32)
    values -= np.float32(found.black_level)
    values *= np.float32(scale)
    values += np.float32(wanted.black_level)
    return values


def pack_bayer(mosaic: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pack an RGGB mosaic: [..., H, W] -> [..., H/2, W/2, 4] in the order B, Gb, R, Gr."""
    height, width = mosaic.shape[-2:]
    if height % 2 or width % 2:
        raise UserError(f"a Bayer mosaic needs even sides, got {height}x{width}")
    return np.stack([mosaic[..., row::2, col::2] for row, col in PLANE_OFFSETS], axis=-1)


def unpack_bayer(packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Inverse of `pack_bayer`: [..., h, w, 4] -> [..., 2h, 2w]."""
    *batch, height, width, _ = packed.shape
    mosaic = np.empty((*batch, 2 * height, 2 * width), packed.dtype)
    for plane, (row, col) in enumerate(PLANE_OFFSETS):
        mosaic[..., row::2, col::2] = packed[..., plane]
    return mosaic


def flip_packed(packed: npt.NDArray[Any], axis: Literal[0, 1]) -> npt.NDArray[Any]:
    """Flip one packed frame so that it stays RGGB: [h, w, 4] -> one cell less along `axis`.

    Equals flipping the mosaic and cropping one pixel at both ends, which restores the phase;
    the RGB target is flipped with `flip_target`. (Flipping the packed tensor itself, as public
    code does, moves every plane by a pixel against the target and against the other planes.)
    """
    cells = packed.shape[axis]
    flipped = np.flip(packed, axis).swapaxes(0, axis)
    restored = np.empty((cells - 1, *flipped.shape[1:]), packed.dtype)
    for plane, offset in enumerate(PLANE_OFFSETS):
        # After the flip, planes of the odd pixels of a cell come first: they skip one cell.
        skip = offset[axis]
        restored[..., plane] = flipped[skip : skip + cells - 1, :, plane]
    return restored.swapaxes(0, axis)


def flip_target(rgb: npt.NDArray[Any], axis: Literal[0, 1]) -> npt.NDArray[Any]:
    """Flip the RGB target of `flip_packed`: [H, W, 3] -> two pixels less along `axis`."""
    return np.flip(rgb, axis)[1:-1] if axis == 0 else np.flip(rgb, axis)[:, 1:-1]


def transpose_packed(packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Mirror one packed frame at its diagonal: [h, w, 4] -> [w, h, 4]; nothing is lost."""
    return packed.swapaxes(0, 1)[..., TRANSPOSED_PLANES]


def encode_raw(
    packed: npt.NDArray[Any], sensor: Sensor, encoding: RawEncoding = "sensor_sqrt"
) -> npt.NDArray[np.float32]:
    """Turn stored packed RAW [..., h, w, 4] into the network's input, float32, same shape.

    "sensor_sqrt": sqrt(max(0, gains * (raw - black) / (white - black))), about 0..1.5. The root
    evens out shot noise and lies near the target's gamma; in brief training a better start
    than the linear input by more than a dB.
    "linear": raw / (255 * 2**(bit_depth - 8)), that is raw / (4 * 255) at 10 bits, as the
    challenge systems read it: no black level, no gains.
    """
    if encoding == "sensor_sqrt":
        scale = sensor.plane_gains / np.float32(sensor.white_level - sensor.black_level)
        values = packed.astype(np.float32)
        values -= np.float32(sensor.black_level)
        values *= scale
        np.maximum(values, 0, out=values)
        return np.sqrt(values, out=values)
    if encoding == "linear":
        return packed.astype(np.float32) / np.float32(255 * 2 ** (sensor.bit_depth - 8))
    raise UserError(f"unknown RAW encoding {encoding!r}: choose sensor_sqrt or linear")

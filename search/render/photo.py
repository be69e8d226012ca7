"""From a photograph's file to a `Frame` for the network, by the rules of its training data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from search.data.camera_raw import RawPhoto, is_camera_raw, read_raw_photo
from search.data.folders import decode_depth, decode_rgb
from search.data.pairs import DepthMap, Encoding, encoder_for
from search.data.raw import Sensor, at_levels
from search.errors import UserError

from .frame import Frame
from .png import UPRIGHT
from .request import Request


@dataclass(frozen=True)
class Opened:
    """A photograph that can be rendered. `note`: how it was read, for the user."""

    frame: Frame
    orientation: int
    note: str


def open_photo(request: Request) -> Opened:
    """The photograph of a request.

    RAW is brought to the levels of the sensor that the network was trained on; where it says a
    white balance, that takes the place of the sensor's typical one.
    Raises `ImageError`, and UserError for settings that do not fit.
    """
    path = Path(request.photo)
    told = (request.pattern, request.black_level, request.white_level) != (None, None, None)
    if request.sensor is None:
        if told:
            raise UserError("the network takes RGB: --pattern and levels are for RAW photographs")
        return _open_rgb(path, request)
    if told and is_camera_raw(path):
        raise UserError(
            "a RAW file says its pattern and levels itself: --pattern and levels are for images"
        )
    if request.depth:
        raise UserError("the network takes RAW: --depth is for RGB photographs")
    return _open_raw(path, request, Sensor.from_dict(request.sensor))


def mosaic_frame(photo: RawPhoto, trained: Sensor, encoding: Encoding) -> Frame:
    """A RAW photograph for a network that was trained on the data of the sensor `trained`."""
    found = photo.sensor
    encode = encoder_for(replace(trained, gains=found.gains), encoding)
    return Frame(photo.mosaic, lambda packed: encode(at_levels(packed, found, trained)))


def _open_raw(path: Path, request: Request, trained: Sensor) -> Opened:
    photo = read_raw_photo(path, _as_told(trained, request), request.pattern)
    frame = mosaic_frame(photo, trained, request.encoding)
    return Opened(frame, photo.orientation, _raw_note(photo, path))


def _as_told(trained: Sensor, request: Request) -> Sensor:
    """The sensor of an image that does not say it."""
    black, white = request.black_level, request.white_level
    if black is None and white is None:
        return trained
    black = trained.black_level if black is None else black
    white = trained.white_level if white is None else white
    if white >= 2**16:
        raise UserError(f"--white-level {white:g}: images hold no more than {2**16 - 1}")
    return Sensor(int(white).bit_length(), black, white, trained.gains)


def _raw_note(photo: RawPhoto, path: Path) -> str:
    height, width = photo.mosaic.shape
    found = photo.sensor
    gains = ", ".join(f"{gain:.3g}" for gain in found.gains)
    return (
        f"{path.name}: {width} x {height} RAW, black {found.black_level:g}, "
        f"white {found.white_level:g}, gains {gains}"
    )


def _open_rgb(path: Path, request: Request) -> Opened:
    pixels = decode_rgb(path)
    note = f"{path.name}: {pixels.shape[1]} x {pixels.shape[0]} RGB"
    if request.channels == 4:
        pixels = np.concatenate([pixels, _depth(request, pixels.shape[:2])[..., None]], axis=-1)
        note += "" if request.depth else ", without depth (--depth)"
    elif request.depth:
        raise UserError("the network takes no depth")
    return Opened(Frame(pixels, encoder_for(None)), _orientation(path), note)


def _orientation(path: Path) -> int:
    """As EXIF counts, of an image that was decoded before."""
    with Image.open(path) as image:
        try:
            stated = image.getexif().get(ExifTags.Base.Orientation)
        except (SyntaxError, ValueError):  # Damaged EXIF of a picture that is whole.
            return UPRIGHT
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else UPRIGHT


def _depth(request: Request, size: tuple[int, ...]) -> DepthMap:
    """As in training: brought to the photograph's size, and zero where there is none."""
    if request.depth is None:
        return np.zeros(size, np.uint8)
    return decode_depth(Path(request.depth), size)

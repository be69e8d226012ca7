"""The check picture: what lets a bundle be verified later, without its study and its data.

One validation image, repeated until it fills the frame of a file. The file is run as it is, at its
full size, and its picture is compared where the image lies first, in the upper left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.artifacts import read_arrays, write_arrays
from search.data.pairs import Encoder, PairSource
from search.errors import UserError
from search.export.variant import Variant
from search.metrics import psnr_db

from .running import run_once

CHECK = "check.npz"
SIDE = 256
"""Pixels a side of the picture, of which a bundle keeps about a megabyte."""

_LEVELS = 65535
"""Keras's picture is kept in 16 bits: to 8e-6, a tenth of what fp32 files may be off."""


@dataclass(frozen=True)
class Checked:
    """What a file made of the check picture: `max_error` against Keras's picture, in [0, 1], NaN
    where any value of the frame is not finite; PSNRs against the target, `keras_psnr_db` of Keras's
    picture."""

    max_error: float
    psnr_db: float
    keras_psnr_db: float


@dataclass(frozen=True)
class CheckPicture:
    """`input` [h, w, C] and `target` [H, W, 3] as the data have them, integers.

    `keras`: what the trained network makes of it, uint16 [H, W, 3], by the size of the frame that
    it fills: networks that take means over the frame make something else at each.
    """

    input: npt.NDArray[Any]
    target: npt.NDArray[np.uint8]
    keras: Mapping[str, npt.NDArray[np.uint16]]

    def frame(self, encode: Encoder, size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """The encoded image again and again, [1, *size, C]."""
        return _filled(self.input, encode, size)

    def check(self, file: bytes, variant: Variant, encode: Encoder) -> Checked:
        """Run `file` on it. Raises UserError where LiteRT cannot, or for a size it has not."""
        size = variant.input_shape[:2]
        if _key(size) not in self.keras:
            raise UserError(f"{CHECK} has no picture of Keras at {_key(size)}")
        output = run_once(file, self.frame(encode, size), variant.file_name)
        keras = self.keras[_key(size)].astype(np.float32) / _LEVELS
        height, width = self.target.shape[:2]
        if output.ndim != 4 or output.shape[1] < height or output.shape[2] < width:
            raise UserError(f"{variant.file_name} gives {output.shape}, which is no such picture")
        picture = np.clip(output[0, :height, :width], 0, 1)
        target = self.target[None].astype(np.float32) / 255
        found, wanted = (float(psnr_db(target, one[None])[0]) for one in (picture, keras))
        # Anywhere in the frame: clipping makes a number of infinity.
        finite = bool(np.isfinite(output).all())
        return Checked(float(np.abs(picture - keras).max()) if finite else math.nan, found, wanted)

    def write(self, directory: Path) -> str:
        """To a bundle; the SHA-256 of the file."""
        keras = {f"keras_{size}": picture for size, picture in self.keras.items()}
        return write_arrays(
            directory / CHECK, {"input": self.input, "target": self.target, **keras}
        )


def make_check(
    model: Callable[..., Any],
    pairs: PairSource,
    encode: Encoder,
    scale: int,
    sizes: list[tuple[int, int]],
) -> CheckPicture:
    """Of the first validation image, for frames of `sizes`. `scale`: output pixels per input's."""
    given, target = pairs.read(0)
    height, width = (
        min(SIDE // scale, side, *of_sizes)
        for side, of_sizes in zip(given.shape[:2], zip(*sizes, strict=True), strict=True)
    )
    given = np.array(given[:height, :width])
    target = np.array(target[: scale * height, : scale * width])
    keras = {}
    for size in sizes:
        picture = np.asarray(model(_filled(given, encode, size), training=False))
        cut = np.nan_to_num(np.clip(picture[0, : scale * height, : scale * width], 0, 1))
        keras[_key(size)] = np.rint(cut * _LEVELS).astype(np.uint16)
    return CheckPicture(given, target, keras)


def read_check(directory: Path, sha256: str | None = None) -> CheckPicture:
    """Of a bundle. Raises UserError where there is none, it is damaged or not that of `sha256`."""
    path = directory / CHECK
    try:
        arrays = read_arrays(path, sha256)
        keras = {n.removeprefix("keras_"): a for n, a in arrays.items() if n.startswith("keras_")}
        return CheckPicture(arrays["input"], arrays["target"], keras)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged: {error}") from None


def _filled(
    image: npt.NDArray[Any], encode: Encoder, size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    times = [math.ceil(whole / side) for whole, side in zip(size, image.shape[:2], strict=True)]
    return np.tile(encode(image), (*times, 1))[None, : size[0], : size[1]].astype(np.float32)


def _key(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

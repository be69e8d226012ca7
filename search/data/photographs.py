"""The photographs that the sample data is generated from, and their split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from search.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
VALIDATION_FRACTION = 0.25


@dataclass(frozen=True)
class Photograph:
    """One photograph; `sha256` is that of the file's bytes and unique in a `PhotoSet`."""

    name: str
    file: Traversable
    sha256: str

    @property
    def key(self) -> int:
        """A number that stands for the content in random seeds, whatever the file's place."""
        return int(self.sha256[:16], 16)

    def read(self) -> npt.NDArray[np.uint8]:
        """Decode to RGB, [H, W, 3], upright; raises `UserError` if the file cannot be read."""
        try:
            with self.file.open("rb") as stream, Image.open(stream) as image:
                return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(f"cannot read the photograph {self.name}: {error}") from error


@dataclass(frozen=True)
class PhotoSet:
    """Photographs in a fixed order (by name) with the note on their licences."""

    photographs: tuple[Photograph, ...]
    licence: str


@dataclass(frozen=True)
class PhotoSplit:
    """Photographs of the training and of the validation set; none is in both."""

    train: tuple[Photograph, ...]
    val: tuple[Photograph, ...]


def builtin_photos() -> PhotoSet:
    """The 14 photographs shipped with the package."""
    folder = resources.files("search.data").joinpath("photos")
    return PhotoSet(
        _photographs([file for file in folder.iterdir() if _is_photograph(file.name)]),
        "CC0, CC-BY and CC-BY-SA photographs, authors in search/data/photos/LICENSES.md",
    )


def folder_photos(folder: Path, licence: str = "the user's own photographs") -> PhotoSet:
    """All JPEG and PNG files under `folder` (searched recursively); identical files count once."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a directory of photographs")
    files = [file for file in folder.rglob("*") if file.is_file() and _is_photograph(file.name)]
    if not files:
        raise UserError(f"{folder} has no .jpg or .png photographs")
    return PhotoSet(_photographs(files), licence)


def split_photographs(photographs: Sequence[Photograph], seed: int) -> PhotoSplit:
    """Hold out a quarter of the photographs, at least one, for validation.

    By photograph, never by patch: patches of one photograph share colours and texture, and a
    network that has seen one of them is not measured by the other.
    """
    if len(photographs) < 2:
        raise UserError("at least 2 photographs are needed: one to train on, one to validate on")
    held_out = max(1, round(VALIDATION_FRACTION * len(photographs)))
    order = np.random.default_rng([seed, 0]).permutation(len(photographs))
    val = {int(index) for index in order[:held_out]}
    return PhotoSplit(
        train=tuple(photo for index, photo in enumerate(photographs) if index not in val),
        val=tuple(photo for index, photo in enumerate(photographs) if index in val),
    )


def _is_photograph(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _photographs(files: Sequence[Traversable]) -> tuple[Photograph, ...]:
    """Photographs sorted by name and content, so that the order does not depend on the disk."""
    by_content: dict[str, Photograph] = {}
    for file in sorted(files, key=str):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        by_content.setdefault(digest, Photograph(file.name, file, digest))
    return tuple(sorted(by_content.values(), key=lambda photo: (photo.name, photo.sha256)))

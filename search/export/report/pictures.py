"""What files make of real images, for the eye: cuts of the frames with their differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.export.variant import Variant
from search.export.verification.reference import Reference, References
from search.metrics import psnr_db
from search.report.images import ERROR_LEVELS, error_map, jpeg

SIDE = 192
"""Pixels a side of a cut; with all precisions the pictures of a bundle stay below a megabyte."""


@dataclass(frozen=True)
class Picture:
    """One picture of a report: its file name, what it shows, its JPEG file."""

    name: str
    caption: str
    jpeg: bytes


@dataclass(frozen=True)
class Strip:
    """The same cut of a frame, as everyone makes it."""

    title: str
    pictures: tuple[Picture, ...]


def strips(references: References, variants: Sequence[Variant]) -> tuple[Strip, ...]:
    """Of the files `variants`, all of one size: the place where one of them differs most from
    Keras, and the upper left of the first frame, unless that is there."""
    frame, corner, label = _worst(references, variants)
    first = references.frames[0]
    found = [_strip(f"Where {label} differs most from Keras", 1, frame, corner, variants)]
    if (frame, corner) != (first, (0, 0)):
        found.append(_strip("Upper left of the first frame", 2, first, (0, 0), variants))
    return tuple(found)


def _worst(
    references: References, variants: Sequence[Variant]
) -> tuple[Reference, tuple[int, int], str]:
    """Where: the frame, the corner of a cut around it, and whose difference it is."""
    worst = -1.0
    found = (references.frames[0], (0, 0), variants[0].label)
    for frame in references.frames:
        keras = np.load(frame.keras)
        for variant in variants:
            error = np.abs(np.clip(np.load(frame.output(variant.label)), 0, 1) - keras)[0]
            error = np.nan_to_num(error, nan=1.0)
            row, column, _ = np.unravel_index(int(error.argmax()), error.shape)
            if error.max() > worst:
                worst = float(error.max())
                corner = _corner((int(row), int(column)), error.shape[:2])
                found = (frame, corner, variant.label)
    return found


def _corner(place: tuple[int, int], size: tuple[int, ...]) -> tuple[int, int]:
    """Of a cut with `place` in its middle that lies in the frame, at an even row and column."""
    row, column = (
        max(0, min(middle - SIDE // 2, side - SIDE)) // 2 * 2
        for middle, side in zip(place, size, strict=True)
    )
    return row, column


def _strip(
    title: str,
    number: int,
    frame: Reference,
    corner: tuple[int, int],
    variants: Sequence[Variant],
) -> Strip:
    target, keras = (_cut(np.load(path), corner) for path in (frame.target, frame.keras))
    pictures = [
        ("input", "input, as the network gets it", _look(frame, corner, len(target))),
        ("target", "target", _levels(target)),
        ("keras", f"Keras, {_psnr(target, keras)}", _levels(keras)),
        (
            "keras_error",
            f"error of Keras, brightest from {ERROR_LEVELS / 255:.2g}",
            error_map(255 * keras, 255 * target),
        ),
    ]
    for variant in variants:
        name, made = variant.label, _cut(np.load(frame.output(variant.label)), corner)
        pictures.append((name, f"{name}, {_psnr(target, made)}", _levels(made)))
        pictures.append((f"{name}_difference", *_difference(name, made, keras)))
    return Strip(
        title,
        tuple(
            Picture(f"{number}_{name.replace(' ', '_')}.jpg", caption, jpeg(pixels))
            for name, caption, pixels in pictures
        ),
    )


def _difference(name: str, made: np.ndarray, keras: np.ndarray) -> tuple[str, np.ndarray]:
    """Amplified so that the largest is brightest: caption and map."""
    largest = float(np.abs(made - keras).mean(axis=-1).max())
    caption = f"{name} less Keras, brightest {largest:.1e}"
    return caption, error_map(255 * made, 255 * keras, 255 * max(largest, 1e-9))


def _look(frame: Reference, corner: tuple[int, int], side: int) -> np.ndarray:
    """The input [h, w, C] for the eye: RGB as it is, RAW with its greens averaged."""
    whole = np.load(frame.input, mmap_mode="r")[0]
    scale = np.load(frame.target, mmap_mode="r").shape[1] // whole.shape[0]
    top, left = (place // scale for place in corner)
    cut = np.array(whole[top : top + side // scale, left : left + side // scale])
    if scale > 1:  # Packed RAW: B, Gb, R, Gr.
        cut = np.stack([cut[..., 2], (cut[..., 1] + cut[..., 3]) / 2, cut[..., 0]], axis=-1)
        cut = cut.repeat(scale, axis=0).repeat(scale, axis=1)
    return _levels(cut[..., :3])


def _cut(picture: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    top, left = corner
    return np.nan_to_num(np.clip(picture[0, top : top + SIDE, left : left + SIDE], 0, 1))


def _levels(picture: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _psnr(target: np.ndarray, picture: np.ndarray) -> str:
    return f"{float(psnr_db(target[None], picture[None])[0]):.2f} dB"

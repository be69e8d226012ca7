"""Strips of validation images: input, target, and what the best networks make of it."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from plotly.colors import hex_to_rgb, sequential

from search.artifacts import PREVIEW, load_preview, read_arrays
from search.study.directories import final_directory, trial_directory
from search.study.results import StudyResults, TrialRecord
from spaces.architecture import Architecture

from .rows import LeaderRow, leaderboard

MAX_SYSTEMS, MAX_IMAGES, MAX_SIDE = 6, 3, 320
"""Together they keep all pictures of a page below about 3 MB."""


@dataclass(frozen=True)
class Picture:
    """One picture: uint8 [H, W, 3], its caption, and the PSNR to the target where it has one."""

    caption: str
    pixels: np.ndarray
    psnr_db: float | None = None


Kind = Literal["input", "target", "output", "error"]
ERROR_LEVELS = 32
"""Of 255: the mean absolute error of a pixel from which an error map is brightest."""


@dataclass(frozen=True)
class Pictures:
    """What a training left of a few validation images: uint8 [N, H, W, 3] each. The input may be
    smaller: it is a quick look at what the network saw."""

    input: np.ndarray
    output: np.ndarray
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    @property
    def psnrs_db(self) -> list[float | None]:
        """Of each output, from its 8 bits; None for a perfect one."""
        arrays = {"output": self.output, "target": self.target}
        return [_psnr_db(arrays, index) for index in range(len(self))]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a target."""
        return self.target.shape[2], self.target.shape[1]


def trial_pictures(results: StudyResults, trial: TrialRecord) -> Pictures | None:
    """Of a trial at full resolution; None where it left none that can be read."""
    try:
        arrays = read_arrays(trial_directory(results.config, trial.number) / PREVIEW)
        return Pictures(arrays["input"], arrays["output"], arrays["target"])
    except (OSError, ValueError, KeyError):
        return None


def picture_png(pictures: Pictures, index: int, kind: Kind) -> bytes:
    """One of them without loss; "error" is `error_map` of output and target."""
    if kind == "error":
        pixels = error_map(pictures.output[index], pictures.target[index])
    else:
        pixels = getattr(pictures, kind)[index]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def error_map(output: np.ndarray, target: np.ndarray, levels: float = ERROR_LEVELS) -> np.ndarray:
    """Mean absolute error of each pixel over its channels, from black for none to pale yellow for
    `levels` of 255 and more. Both [H, W, 3] from 0 to 255, the map uint8 of the same shape."""
    error = np.abs(output.astype(np.float32) - target).mean(axis=-1) / levels
    # A scale whose lightness rises evenly is read alike by any eye.
    scale = np.array([hex_to_rgb(colour) for colour in sequential.Inferno])
    place = np.clip(error, 0, 1) * (len(scale) - 1)
    channels = [np.interp(place, np.arange(len(scale)), scale[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def strips(results: StudyResults) -> list[list[Picture]]:
    """One list per validation image: input, target, then outputs of the best that left some.

    Finalists (their first seed with pictures), or the best trials where there were no finals.
    A network whose pictures are of other images is left out.
    """
    rows = leaderboard(results, trials=2 * MAX_SYSTEMS)
    rows = [row for row in rows if row.stage == rows[0].stage]
    shown: list[tuple[LeaderRow, dict[str, np.ndarray]]] = []
    for row in rows:
        preview = _preview(results, row)
        if preview is None or len(shown) == MAX_SYSTEMS:
            continue
        if not shown or np.array_equal(preview["target"], shown[0][1]["target"]):
            shown.append((row, preview))
    if not shown:
        return []
    reference = shown[0][1]
    return [
        [
            Picture("input (quick look)", reference["input"][index]),
            Picture("target", reference["target"][index]),
            *(
                Picture(row.name, preview["output"][index], _psnr_db(preview, index))
                for row, preview in shown
            ),
        ]
        for index in range(min(MAX_IMAGES, len(reference["target"])))
    ]


def strips_html(results: StudyResults) -> str:
    """The strips with their pictures embedded; "" where no network left any."""
    return "".join(
        f'<div class="strip" role="group" aria-label="Validation image {number}">'
        f"{''.join(_figure(picture, number) for picture in strip)}</div>"
        for number, strip in enumerate(strips(results), start=1)
    )


def data_uri(pixels: np.ndarray) -> str:
    """uint8 [H, W, 3] as a JPEG data URI of at most `MAX_SIDE` pixels a side."""
    return jpeg_uri(jpeg(pixels))


def jpeg_uri(content: bytes) -> str:
    """A JPEG file as a data URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def jpeg(pixels: np.ndarray) -> bytes:
    """uint8 [H, W, 3] as a JPEG file of at most `MAX_SIDE` pixels a side."""
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def _figure(picture: Picture, number: int) -> str:
    caption = html.escape(picture.caption)
    if picture.psnr_db is not None:
        caption += f"<br><b>{picture.psnr_db:.2f} dB</b>"
    alt = html.escape(f"Validation image {number}: {picture.caption}", quote=True)
    return (
        f'<figure><img src="{data_uri(picture.pixels)}" alt="{alt}" loading="lazy">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _preview(results: StudyResults, row: LeaderRow) -> dict[str, np.ndarray] | None:
    for directory in _directories(results, row.stage, row.architecture):
        preview = load_preview(directory)
        if preview is not None:
            return preview
    return None


def _directories(results: StudyResults, stage: str, architecture: Architecture) -> list[Path]:
    if stage == "finals":
        runs = [r for r in results.finals if r.architecture == architecture]
        return [final_directory(results.config, architecture, run.seed, run.steps) for run in runs]
    trials = [t for t in results.complete if t.architecture == architecture]
    return [trial_directory(results.config, t.number) for t in trials]


def _psnr_db(preview: dict[str, np.ndarray], index: int) -> float | None:
    """Of the stored 8-bit output; None for a perfect one."""
    error = preview["output"][index].astype(np.float64) - preview["target"][index]
    mse = float(np.mean(error**2))
    return 10 * float(np.log10(255.0**2 / mse)) if mse else None

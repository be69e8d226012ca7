"""Classical baselines: what a network must pass to have learned anything.

Each is one PSNR, the mean over validation images, measured on the very set it is stored with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data.filters import blur_disc, frame_radius
from search.data.isp import MEAN_EXPOSURE, to_display, to_linear
from search.data.raw import PLANE_OFFSETS, Sensor
from search.metrics import psnr_db

Floats = npt.NDArray[np.floating[Any]]
Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]

FIT_PAIRS = {"isp": 60, "bokeh": 20}
"""Training pairs, evenly spread, that fitted baselines see: more change nothing."""


def demosaic(packed: npt.NDArray[Any], sensor: Sensor) -> Floats:
    """Bilinear demosaicing of the signal above black: [h, w, 4] -> [2h, 2w, 3] in about 0..1."""
    height, width = 2 * packed.shape[0], 2 * packed.shape[1]
    sparse = np.zeros((height, width, 3), np.float32)
    signal = (packed.astype(np.float32) - sensor.black_level) / (
        sensor.white_level - sensor.black_level
    )
    for plane, ((row, col), colour) in enumerate(zip(PLANE_OFFSETS, (2, 1, 0, 1), strict=True)):
        sparse[row::2, col::2, colour] = signal[..., plane]
    padded = np.pad(sparse, ((1, 1), (1, 1), (0, 0)), mode="reflect")  # keeps the Bayer phase

    def moved(row: int, col: int) -> Floats:
        shifted: Floats = padded[1 + row : 1 + row + height, 1 + col : 1 + col + width]
        return shifted

    beside = moved(-1, 0) + moved(1, 0) + moved(0, -1) + moved(0, 1)
    diagonal = moved(-1, -1) + moved(-1, 1) + moved(1, -1) + moved(1, 1)
    green = sparse[..., 1] + beside[..., 1] / 4
    red_blue = sparse + beside / 2 + diagonal / 4
    rgb: Floats = np.stack([red_blue[..., 0], green, red_blue[..., 2]], axis=-1)
    return rgb


def isp_baselines(train: Iterable[Pair], val: Iterable[Pair], sensor: Sensor) -> dict[str, float]:
    """PSNR in dB of the classical pipelines on `val`, pairs of packed RAW and RGB target."""
    gains = np.array(sensor.gains, np.float32)
    matrix = fit_colour_matrix(train, sensor)

    def gray_world(rgb: Floats) -> Floats:
        means = rgb.mean(axis=(0, 1))
        display: Floats = np.clip(rgb * (means[1] / means), 0, 1) ** np.float32(1 / 2.2)
        return 255 * display

    def fixed_gains(rgb: Floats) -> Floats:
        return 255 * to_display(rgb * gains / np.float32(MEAN_EXPOSURE))

    def colour_matrix(rgb: Floats) -> Floats:
        return 255 * to_display(rgb @ matrix)

    pipelines: dict[str, Callable[[Floats], Floats]] = {
        "bilinear, gray world": gray_world,
        "bilinear, fixed gains": fixed_gains,
        "bilinear, fitted 3x3 colour matrix": colour_matrix,
    }
    return _mean_psnr(((demosaic(raw, sensor), target) for raw, target in val), pipelines)


def fit_colour_matrix(pairs: Iterable[Pair], sensor: Sensor) -> Floats:
    """Least-squares 3x3 matrix from demosaiced RAW to the target's linear light: rgb @ matrix.

    Residuals are weighted by the tone curve's slope at the target, which makes the fit
    least-squares in display values to first order, where PSNR is measured.
    """
    inputs, targets, weights = [], [], []
    for raw, target in pairs:
        # Every 5th pixel: an even step would see a single place of the Bayer cell.
        display = target[::5, ::5].reshape(-1, 3).astype(np.float32) / 255
        linear = to_linear(display)
        inputs.append(demosaic(raw, sensor)[::5, ::5].reshape(-1, 3))
        targets.append(linear)
        weights.append((to_display(linear + 1e-3) - display) / 1e-3)
    x, y, slope = (np.concatenate(parts) for parts in (inputs, targets, weights))
    columns = [
        np.linalg.lstsq(x * slope[:, [c]], y[:, c] * slope[:, c], rcond=None)[0] for c in range(3)
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def bokeh_baselines(train: Iterable[Pair], val: Iterable[Pair]) -> dict[str, float]:
    """PSNR in dB of identity, one blur for all, and blur away from the centre, on `val`.

    The radii, in pixels, are the best of a grid on `train`.
    """
    grid: dict[str, Callable[[Floats], Floats]] = {"identity": lambda image: image}
    for radius in (1.5, 2.0, 3.0, 4.0):
        grid[f"uniform disc blur {radius:g} px"] = partial(blur_disc, radius=radius)
        for sharp in (0.2, 0.3, 0.4):
            grid[f"centre prior, disc blur {radius:g} px outside {sharp:g} of the frame"] = partial(
                centre_prior_blur, radius=radius, sharp=sharp
            )
    on_train = _mean_psnr(((x.astype(np.float32), y) for x, y in train), grid)
    chosen = {
        max((name for name in grid if name.startswith(family)), key=lambda name: on_train[name])
        for family in ("identity", "uniform", "centre")
    }
    val_floats = ((x.astype(np.float32), y) for x, y in val)
    return _mean_psnr(val_floats, {name: grid[name] for name in grid if name in chosen})


def centre_prior_blur(image: Floats, radius: float, sharp: float) -> Floats:
    """Keep the centre, blur the rest: [H, W, 3]; the step from sharp to blurred is soft."""
    distance = frame_radius(image.shape[0], image.shape[1])
    weight = 1 / (1 + np.exp(-(distance - np.float32(sharp)) / np.float32(0.08)))
    mixed: Floats = image + weight[..., None] * (blur_disc(image, radius) - image)
    return mixed


def _mean_psnr(
    pairs: Iterable[Pair], pipelines: dict[str, Callable[[Floats], Floats]]
) -> dict[str, float]:
    """Mean PSNR in dB of each pipeline over the pairs; pipelines return 0..255."""
    scores: dict[str, list[float]] = {name: [] for name in pipelines}
    for prepared, target in pairs:
        for name, pipeline in pipelines.items():
            rounded = np.rint(pipeline(prepared))[None] / 255
            scores[name].append(float(psnr_db(target[None] / 255, rounded)[0]))
    return {name: round(float(np.mean(values)), 2) for name, values in scores.items()}

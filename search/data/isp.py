"""RAW images out of finished photographs: the learned-ISP generator.

After Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019): undo the tone
curve, the gamma, the colour matrix and the white balance, then add what a small phone camera
adds: lens blur, lens shading, mosaic, noise, black level. The target is the photograph itself,
slightly misaligned, as it is in the challenge's pairs of phone and camera.

Noise, black level and shading are plausible for a phone sensor like the IMX586; they are not
datasheet values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data.filters import convolve_valid, gaussian_taps
from search.data.raw import PLANE_OFFSETS, Sensor

Floats = npt.NDArray[np.floating[Any]]

MEAN_RED_GAIN, RED_GAIN_STD = 2.05, 0.02
MEAN_BLUE_GAIN, BLUE_GAIN_STD = 1.75, 0.02
GAIN_CORRELATION = -0.8
"""Warm light needs less red and more blue gain; the value is our choice."""
MEAN_EXPOSURE, EXPOSURE_STD = 0.8, 0.01
"""What the phone's own white balance, metering and gain map leave. More of it, of which a patch
cannot know, costs every network alike and hides what networks add (docs/experiments.md)."""
PSF_SIGMA_PX = 0.6
SHIFT_STD_PX, MAX_SHIFT_PX = 0.35, 1.0
SHADING_RANGE = (0.0, 0.02)
"""Loss of light in the corners that the phone's calibrated gain map leaves."""
SHOT_NOISE_RANGE = (6e-5, 2.4e-3)
HIGHLIGHT_START = 0.9
MIN_CONTRAST = 0.03
MARGIN = 4
"""Pixels around a patch that the lens blur reads."""

SENSOR = Sensor(
    bit_depth=10,
    black_level=64,
    white_level=1023,
    gains=(MEAN_RED_GAIN, 1.0, MEAN_BLUE_GAIN),
)

SRGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
"""Colour matrices of the four cameras of the Darmstadt Noise Dataset, as Brooks et al. use them."""
XYZ_TO_SENSOR = XYZ_TO_CAMERA.mean(axis=0)
"""The sensor of the sample data: one phone took all its frames, the light changes."""


@dataclass(frozen=True)
class Camera:
    """One frame's camera, light and exposure; signals are in 0..1 of the sensor's range.

    `rgb_to_camera`: 3x3, rows sum to 1. `shading`: loss of light in the corners. Noise variance
    at signal s is `shot_noise` * s + `read_variance`. `shift`: (down, right) in pixels, by which
    the RAW image lies off the target.
    """

    rgb_to_camera: npt.NDArray[np.float64]
    red_gain: float
    blue_gain: float
    exposure: float
    shading: float
    shot_noise: float
    read_variance: float
    shift: tuple[float, float]

    @property
    def inverse_gains(self) -> Floats:
        """Factors that undo white balance and exposure, (3,)."""
        gains = np.array([1 / self.red_gain, 1.0, 1 / self.blue_gain])
        return (self.exposure * gains).astype(np.float32)


@dataclass(frozen=True)
class Patch:
    """Where a patch lies: its top left pixel in a photograph of `frame` (height, width)."""

    top: int
    left: int
    size: int
    frame: tuple[int, int]


def draw_camera(rng: np.random.Generator) -> Camera:
    """One frame of the phone: light, exposure, shading, noise and misalignment are drawn."""
    matrix = XYZ_TO_SENSOR @ SRGB_TO_XYZ
    common, other = rng.standard_normal(2)
    blue = GAIN_CORRELATION * common + np.sqrt(1 - GAIN_CORRELATION**2) * other
    shot_noise = float(np.exp(rng.uniform(*np.log(SHOT_NOISE_RANGE))))
    down, right = np.clip(rng.normal(0, SHIFT_STD_PX, 2), -MAX_SHIFT_PX, MAX_SHIFT_PX)
    return Camera(
        rgb_to_camera=matrix / matrix.sum(axis=1, keepdims=True),
        red_gain=float(MEAN_RED_GAIN + RED_GAIN_STD * common),
        blue_gain=float(MEAN_BLUE_GAIN + BLUE_GAIN_STD * blue),
        exposure=float(max(0.4, rng.normal(MEAN_EXPOSURE, EXPOSURE_STD))),
        shading=float(rng.uniform(*SHADING_RANGE)),
        shot_noise=shot_noise,
        read_variance=float(np.exp(2 * np.log(shot_noise) + np.log(6))),
        shift=(float(down), float(right)),
    )


def to_linear(display: Floats) -> Floats:
    """Display values 0..1 to linear light 0..1: inverse smoothstep, then inverse gamma 2.2."""
    toned = 0.5 - np.sin(np.arcsin(1 - 2 * np.clip(display, 0, 1)) / 3)
    linear: Floats = np.maximum(toned, 0).astype(np.float32) ** np.float32(2.2)
    return linear


def to_display(linear: Floats) -> Floats:
    """Inverse of `to_linear`: gamma 1/2.2, then the tone curve 3x^2 - 2x^3."""
    gamma = np.clip(linear, 0, 1) ** np.float32(1 / 2.2)
    display: Floats = gamma * gamma * (3 - 2 * gamma)
    return display


_LINEAR_OF_BYTE = to_linear(np.arange(256, dtype=np.float32) / 255)


def unprocess(rgb: npt.NDArray[np.uint8], camera: Camera) -> Floats:
    """Photograph [H, W, 3] uint8 to the camera's linear RGB in 0..1, without lens and noise.

    Near white the gains fade out (highlight protection): a clipped photograph says nothing of
    the colour there, and the sensor would be saturated in every channel.
    """
    linear = _LINEAR_OF_BYTE[rgb] @ camera.rgb_to_camera.T.astype(np.float32)
    gray = linear.mean(axis=-1, keepdims=True)
    protection = (np.maximum(gray - HIGHLIGHT_START, 0) / (1 - HIGHLIGHT_START)) ** 2
    gains = np.maximum(protection + (1 - protection) * camera.inverse_gains, camera.inverse_gains)
    camera_rgb: Floats = np.clip(linear * gains, 0, 1)
    return camera_rgb


def process(camera_rgb: Floats, camera: Camera) -> Floats:
    """Inverse of `unprocess` below its highlight protection: [H, W, 3] to display values 0..1."""
    camera_to_rgb = np.linalg.inv(camera.rgb_to_camera).astype(np.float32)
    return to_display((camera_rgb / camera.inverse_gains) @ camera_to_rgb.T)


def add_lens(camera_rgb: Floats, camera: Camera, patch: Patch) -> Floats:
    """Blur, shift and shade: [size + 2 * MARGIN, ..., 3] -> [size, size, 3].

    The shift moves the RAW image instead of the target: the misalignment is the same, and the
    target stays the photograph, not an interpolation of it.
    """
    down, right = camera.shift
    blurred = convolve_valid(
        camera_rgb,
        gaussian_taps(PSF_SIGMA_PX, -down, MARGIN),
        gaussian_taps(PSF_SIGMA_PX, -right, MARGIN),
    )
    height, width = patch.frame
    rows = (np.arange(patch.top, patch.top + patch.size) - (height - 1) / 2)[:, None]
    columns = (np.arange(patch.left, patch.left + patch.size) - (width - 1) / 2)[None, :]
    squared_radius = (rows**2 + columns**2) / ((height / 2) ** 2 + (width / 2) ** 2)
    return blurred * (1 - camera.shading * squared_radius).astype(np.float32)[..., None]


def expose(
    camera_rgb: Floats, camera: Camera, rng: np.random.Generator, sensor: Sensor = SENSOR
) -> npt.NDArray[np.uint16]:
    """Mosaic, add noise and quantise: [H, W, 3] in 0..1 -> packed [H/2, W/2, 4] integers."""
    colours = (2, 1, 0, 1)  # of the planes B, Gb, R, Gr
    signal = np.stack(
        [
            camera_rgb[row::2, col::2, colour]
            for (row, col), colour in zip(PLANE_OFFSETS, colours, strict=True)
        ],
        axis=-1,
    )
    sigma = np.sqrt(np.float32(camera.shot_noise) * signal + np.float32(camera.read_variance))
    noisy = signal + sigma * rng.standard_normal(signal.shape, np.float32)
    stored = sensor.black_level + (sensor.white_level - sensor.black_level) * noisy
    raw: npt.NDArray[np.uint16] = np.clip(np.rint(stored), 0, sensor.white_level).astype(np.uint16)
    return raw


def grid_patches(frame: tuple[int, int], size: int) -> list[Patch]:
    """Patch positions in a photograph of `frame` (height, width), disjoint ones first.

    A grid of disjoint patches, then the same grid moved by half a patch diagonally, to the
    right and down: those overlap earlier ones, but see other Bayer neighbours and cameras.
    """
    height, width = frame
    half = size // 2
    return [
        Patch(top, left, size, frame)
        for down, right in ((0, 0), (half, half), (0, half), (half, 0))
        for top in range(MARGIN + down, height - size - MARGIN + 1, size)
        for left in range(MARGIN + right, width - size - MARGIN + 1, size)
    ]


def has_contrast(photo: npt.NDArray[np.uint8], patch: Patch) -> bool:
    """False for a nearly uniform patch (clear sky): it teaches nothing and has extreme PSNR."""
    pixels = photo[patch.top : patch.top + patch.size : 4, patch.left : patch.left + patch.size : 4]
    return bool(pixels.mean(axis=-1).std() >= MIN_CONTRAST * 255)


def render_pair(
    photo: npt.NDArray[np.uint8], patch: Patch, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """One pair: packed RAW [size/2, size/2, 4] uint16 and target [size, size, 3] uint8."""
    reach = photo[
        patch.top - MARGIN : patch.top + patch.size + MARGIN,
        patch.left - MARGIN : patch.left + patch.size + MARGIN,
    ]
    camera = draw_camera(rng)
    raw = expose(add_lens(unprocess(reach, camera), camera, patch), camera, rng)
    return raw, reach[MARGIN:-MARGIN, MARGIN:-MARGIN].copy()


def quick_look(packed: npt.NDArray[Any], sensor: Sensor) -> npt.NDArray[np.uint8]:
    """RAW for the eye: [h, w, 4] -> [2h, 2w, 3] uint8, gamma only, so dark and green."""
    signal = (packed - np.float32(sensor.black_level)) / (sensor.white_level - sensor.black_level)
    blue, green_a, red, green_b = np.moveaxis(np.clip(signal, 0, 1), -1, 0)
    rgb = np.stack([red, (green_a + green_b) / 2, blue], axis=-1) ** (1 / 2.2)
    return np.rint(255 * rgb.repeat(2, axis=0).repeat(2, axis=1)).astype(np.uint8)

"""Small image filters in NumPy, for the generators and the classical baselines."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def gaussian_taps(sigma: float, shift: float = 0.0, radius: int | None = None) -> Floats:
    """A 1-D Gaussian sampled at integers, moved by `shift` pixels, sum 1, 2 * radius + 1 taps."""
    if radius is None:
        radius = int(np.ceil(3 * sigma + abs(shift)))
    offsets = np.arange(-radius, radius + 1) - shift
    taps = np.exp(-0.5 * (offsets / sigma) ** 2)
    normalised: Floats = (taps / taps.sum()).astype(np.float32)
    return normalised


def convolve_valid(image: Floats, row_taps: Floats, column_taps: Floats) -> Floats:
    """Separable correlation without padding: the taps' reach of [H, W, C] is lost."""
    height = image.shape[0] - len(row_taps) + 1
    width = image.shape[1] - len(column_taps) + 1
    rows = sum(tap * image[i : i + height] for i, tap in enumerate(row_taps))
    return np.asarray(
        sum(tap * rows[:, i : i + width] for i, tap in enumerate(column_taps)), np.float32
    )


def disc_kernel(radius: float) -> Floats:
    """Anti-aliased disc of a blur of `radius` pixels, [2 * ceil(radius) + 1]^2, sum 1.

    A pixel counts by how far it reaches into the disc, so that the blur changes smoothly with
    the radius; at radius 0 it is the identity.
    """
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    distance = np.hypot(offsets[:, None], offsets[None, :])
    coverage = np.clip(np.float32(radius) + np.float32(0.5) - distance, 0, 1)
    kernel: Floats = (coverage / coverage.sum()).astype(np.float32)
    return kernel


def kernel_spectrum(
    kernel: Floats, size: tuple[int, int]
) -> npt.NDArray[np.complexfloating[Any, Any]]:
    """Real FFT of a centred, odd-sided kernel over a frame of `size`, centre moved to (0, 0)."""
    frame = np.zeros(size, np.float32)
    height, width = kernel.shape
    frame[:height, :width] = kernel
    return np.fft.rfft2(np.roll(frame, (-(height // 2), -(width // 2)), (0, 1)))


def fft_margin(length: int, at_least: int) -> int:
    """Smallest margin >= `at_least` that pads `length` at both ends to a fast FFT length."""
    margin = at_least
    while not _is_smooth(length + 2 * margin):
        margin += 1
    return margin


def blur_disc(image: Floats, radius: float) -> Floats:
    """Disc blur of [H, W, C] with reflected borders."""
    height, width = image.shape[:2]
    reach = int(np.ceil(radius)) + 1
    down, right = fft_margin(height, reach), fft_margin(width, reach)
    channels = np.moveaxis(image, -1, 0)
    padded = np.pad(channels, ((0, 0), (down, down), (right, right)), mode="reflect")
    size = (height + 2 * down, width + 2 * right)
    spectrum = np.fft.rfft2(padded) * kernel_spectrum(disc_kernel(radius), size)
    blurred = np.fft.irfft2(spectrum, s=size)[:, down:-down, right:-right]
    return np.ascontiguousarray(np.moveaxis(blurred, 0, -1), np.float32)


def frame_radius(height: int, width: int) -> Floats:
    """Distance of each pixel from the frame's centre, [H, W], 1 in the corners."""
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return np.hypot(rows, columns) / np.float32(np.sqrt(2))


def _is_smooth(length: int) -> bool:
    for prime in (2, 3, 5):
        while length % prime == 0:
            length //= prime
    return length == 1

"""What training a candidate is expected to gain, when its run time is known and PSNR is not.

PSNR is normal with `mean` and `deviation` in dB. Run times are exact, so that the expected
hypervolume improvement is a sum over the steps of the front, each an expected improvement in
one dimension.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def expected_improvement(mean: Floats, deviation: Floats, best: Floats | float) -> Floats:
    """E[max(0, value - best)], elementwise, >= 0. Jones et al., 1998, equation 15."""
    deviation = np.maximum(deviation, 1e-12)
    z = (mean - best) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.maximum((mean - best) * _normal_cdf(z) + deviation * density, 0.0)


def expected_hypervolume_improvement(
    mean: Floats,
    deviation: Floats,
    log2_runtime: Floats,
    front: list[tuple[float, float]],
    reference: tuple[float, float],
) -> Floats:
    """Expected gain of the area above `reference` = (PSNR in dB, log2 of run time) that
    (PSNR, log2 run time) points dominate, in dB x octaves.

    `front`: points (PSNR, log2 run time) that dominate it now, whatever their order.
    """
    levels = staircase(front, reference)
    starts = np.array([start for start, _ in levels])
    ends = np.append(starts[1:], reference[1])
    heights = np.array([height for _, height in levels])
    widths = np.clip(ends[None, :] - np.maximum(starts[None, :], log2_runtime[:, None]), 0.0, None)
    gains = expected_improvement(mean[:, None], deviation[:, None], heights[None, :])
    return np.asarray((widths * gains).sum(axis=1))


def staircase(
    front: list[tuple[float, float]], reference: tuple[float, float]
) -> list[tuple[float, float]]:
    """Steps (from log2 run time, best PSNR in dB there), the first from minus infinity."""
    floor_db, slowest = reference
    steps = [(-math.inf, floor_db)]
    for psnr_db, log2_ms in sorted(front, key=lambda point: (point[1], -point[0])):
        if log2_ms < slowest and psnr_db > steps[-1][1]:
            steps.append((log2_ms, psnr_db))
    return steps


def _normal_cdf(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + _erf(z / math.sqrt(2))))


_erf = np.vectorize(math.erf, otypes=[float])

"""How good a full frame is, and how far from another: in pieces, so that memory is bounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.metrics import psnr_db
from search.training.ssim import WINDOW, ssim

_SIDE = 512
"""Windows a side of one piece: `ssim` multiplies by a square matrix of that size."""


@dataclass(frozen=True)
class Quality:
    """Of pictures against their targets."""

    psnr_db: float
    ssim: float


def quality(target: np.ndarray, picture: np.ndarray) -> Quality:
    """Of one picture [1, H, W, 3]; both are in [0, 1], the picture is clipped to it."""
    return Quality(float(psnr_db(target, picture)[0]), frame_ssim(target, np.clip(picture, 0, 1)))


def frame_ssim(target: np.ndarray, picture: np.ndarray) -> float:
    """What `ssim` gives for a frame [1, H, W, 3], as the mean over its pieces.

    SSIM is a mean over windows. Pieces overlap by a window less one pixel, so that each window
    lies in one of them.
    """
    height, width = (side - WINDOW + 1 for side in target.shape[1:3])
    total = 0.0
    for top in range(0, max(height, 1), _SIDE):
        for left in range(0, max(width, 1), _SIDE):
            piece = np.s_[:, top : top + _SIDE + WINDOW - 1, left : left + _SIDE + WINDOW - 1]
            windows = min(_SIDE, height - top) * min(_SIDE, width - left)
            total += windows * float(ssim(target[piece], picture[piece])[0])
    return total / (height * width)


def mean_quality(found: list[Quality]) -> Quality:
    """Over several pictures."""
    return Quality(
        float(np.mean([one.psnr_db for one in found])), float(np.mean([one.ssim for one in found]))
    )

"""How good a full frame is, and how far from another: in pieces, so that memory is bounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.metrics import psnr_db
from search.training.ssim import ssim_in_pieces


@dataclass(frozen=True)
class Quality:
    """Of pictures against their targets."""

    psnr_db: float
    ssim: float


def quality(target: np.ndarray, picture: np.ndarray) -> Quality:
    """Of one picture [1, H, W, 3]; both are in [0, 1], the picture is clipped to it."""
    ssim = ssim_in_pieces(target[0], np.clip(picture[0], 0, 1))
    return Quality(float(psnr_db(target, picture)[0]), ssim)


def mean_quality(found: list[Quality]) -> Quality:
    """Over several pictures."""
    return Quality(
        float(np.mean([one.psnr_db for one in found])), float(np.mean([one.ssim for one in found]))
    )

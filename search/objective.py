"""The challenge score, worked in log2 so that it neither overflows nor loses digits."""

from __future__ import annotations

import math


def log2_score(psnr_db: float, runtime_ms: float, log2_c: float) -> float:
    """log2 of 2**(2*PSNR) / (C * runtime): half the run time is worth exactly 0.5 dB.

    `psnr_db` in dB, `runtime_ms` > 0 in ms, `log2_c` of the task (40 for the learned ISP,
    34.5 for bokeh). Source: Mobile AI & AIM 2022 reports, section on the scoring; C is not
    printed there and follows from the published scores.
    """
    if not runtime_ms > 0:
        raise ValueError(f"the run time must be positive, not {runtime_ms} ms")
    return 2 * psnr_db - math.log2(runtime_ms) - log2_c


def score(psnr_db: float, runtime_ms: float, log2_c: float) -> float:
    """The score itself, as the reports print it."""
    return float(2.0 ** log2_score(psnr_db, runtime_ms, log2_c))


def psnr_of_score(log2_of_score: float, runtime_ms: float, log2_c: float) -> float:
    """The PSNR in dB that has this score: inverse of `log2_score`."""
    return (log2_of_score + math.log2(runtime_ms) + log2_c) / 2

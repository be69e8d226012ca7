"""`Settings`: how a network is timed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How to time a network.

    `accelerator`: "gpu" or "cpu". `runs`: timed runs, after `warmup` others.
    `time_limit_s`: for one start of the tool, loading and warm-up included.
    """

    accelerator: str = "gpu"
    runs: int = 50
    warmup: int = 10
    time_limit_s: float = 300.0

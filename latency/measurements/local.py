"""Measuring on this machine, through LiteRT."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from .files import file_sha256
from .measurement import Measurement, spread_notes
from .settings import Settings

TOOL = "ai-edge-litert"
METHODS = {
    "cpu": "LiteRT, XNNPACK on 1 thread: least CPU time of the process",
    "gpu": "LiteRT, WebGPU backend on Vulkan: least CPU time of the process",
}
"""CPU time and not wall time, which other load on the machine stretches several times."""


def measure(model: Path, device: str, settings: Settings) -> Measurement:
    """The run time of a .tflite file on this machine's CPU or (software) GPU.

    `ms` is the least CPU time of a run; the wall times are in the notes.

    Raises `GraphError` where LiteRT cannot run the model wholly on the
    accelerator, and `OSError` where the file cannot be read.
    """
    from latency.litert import time_model

    digest = file_sha256(model)
    timing = time_model(
        model,
        settings.accelerator,
        runs=settings.runs,
        warmup=settings.warmup,
        time_limit_s=settings.time_limit_s,
    )
    wall = f"wall time: least {timing.wall_min_ms:.3f} ms, median {timing.wall_median_ms:.3f} ms"
    return Measurement(
        model=model.stem,
        device=device,
        ms=timing.cpu_min_ms,
        sha256=digest,
        statistic="min",
        std_ms=timing.cpu_std_ms,
        runs=timing.runs,
        accelerator=settings.accelerator,
        delegated=True if settings.accelerator == "gpu" else None,
        method=METHODS[settings.accelerator],
        tool_version=f"{TOOL} {version(TOOL)}",
        date=datetime.now(UTC).date().isoformat(),
        notes=(wall, *spread_notes(timing.cpu_min_ms, timing.cpu_std_ms)),
    )

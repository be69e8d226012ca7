"""`time_model`: how long LiteRT takes for one inference on this machine."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from latency.graph import GraphError

from .driver import find_vulkan_driver
from .process import ask

NO_DRIVER = (
    "no Vulkan driver was found: install a GPU driver, mesa-vulkan-drivers or chromium "
    "(for its software driver), or name one in VK_ICD_FILENAMES"
)


class LiteRTError(GraphError):
    """LiteRT could not run a model here; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class LocalTiming:
    """Times of one inference in ms, over `runs` runs after the warm-up.

    CPU time of the process is the steady figure on a shared machine (minimum repeats
    within 1.4 % where wall time spreads by 11 %); on a software GPU it counts all threads.
    """

    cpu_min_ms: float
    cpu_median_ms: float
    wall_min_ms: float
    wall_median_ms: float
    cpu_std_ms: float
    runs: int


def time_model(
    model: Path | str,
    accelerator: str = "cpu",
    *,
    runs: int = 20,
    warmup: int = 3,
    threads: int = 1,
    time_limit_s: float = 300.0,
) -> LocalTiming:
    """Run a .tflite file in a process of its own: XNNPACK on "cpu", Vulkan on "gpu".

    Raises `LiteRTError` where it cannot run, or not wholly on the GPU.
    """
    environment = {}
    if accelerator == "gpu":
        driver = find_vulkan_driver()
        if driver is None:
            raise LiteRTError(NO_DRIVER)
        environment = driver.environment()
    request = {
        "model": str(model), "accelerator": accelerator,
        "runs": runs, "warmup": warmup, "threads": threads,
    }  # fmt: skip
    answer = ask(json.dumps(request), environment, time_limit_s)
    if answer.values is None or answer.problem:
        raise LiteRTError(f"{Path(model).name}: {answer.problem}")
    cpu_ms, wall_ms = answer.values["cpu_ms"], answer.values["wall_ms"]
    return LocalTiming(
        cpu_min_ms=min(cpu_ms),
        cpu_median_ms=statistics.median(cpu_ms),
        wall_min_ms=min(wall_ms),
        wall_median_ms=statistics.median(wall_ms),
        cpu_std_ms=statistics.pstdev(cpu_ms),
        runs=len(cpu_ms),
    )

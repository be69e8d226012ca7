"""How long one look at an architecture takes: sample it, trace it, predict its run time.

    python benchmarks/estimate_speed.py                   1000 architectures of unet_isp
    python benchmarks/estimate_speed.py --space unet_bokeh --size 1024x1024
    python benchmarks/estimate_speed.py --count 200 --json

CPU time of one core in ms, each architecture once and caches cold at the start, so
that it is what a search pays. `predict` contains `lower`, which is timed a second
time by itself; `total` is sample + trace + predict. `suggest` is `sample` through an
Optuna trial in memory, and mostly Optuna's own time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from latency import LatencyOracle, device_names, lower
from spaces import SPACES
from spaces.space import SearchSpace

T = TypeVar("T")

STAGES = ("sample", "trace", "lower", "predict", "total")


def time_stages(
    space: SearchSpace, size: tuple[int, int], device: str, count: int, seed: int
) -> dict[str, list[float]]:
    """CPU ms of each stage for each of `count` random architectures."""
    oracle, rng = LatencyOracle(device), np.random.default_rng(seed)
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for _ in range(count):
        architecture, sample_ms = timed(space.sample, rng)
        graph, trace_ms = timed(space.trace, architecture, *size)
        _, predict_ms = timed(oracle.predict, graph)
        _, lower_ms = timed(lower, graph, oracle.profile.gpu)
        total_ms = sample_ms + trace_ms + predict_ms
        for stage, ms in zip(
            STAGES, (sample_ms, trace_ms, lower_ms, predict_ms, total_ms), strict=True
        ):
            times[stage].append(ms)
    return times


def time_suggest(space: SearchSpace, count: int, seed: int) -> list[float]:
    """CPU ms of suggesting each of `count` architectures through Optuna, random and in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    times = []
    for _ in range(count):
        trial = study.ask()
        times.append(timed(space.suggest, trial)[1])
    return times


def timed(work: Callable[..., T], *args: Any) -> tuple[T, float]:
    """What `work` returns, and the CPU ms it took."""
    start_ns = time.thread_time_ns()
    result = work(*args)
    return result, (time.thread_time_ns() - start_ns) / 1e6


def summary(times_ms: Sequence[float]) -> dict[str, float]:
    """Median and 90th percentile of one stage."""
    return {
        "median_ms": statistics.median(times_ms),
        "p90_ms": statistics.quantiles(times_ms, n=10, method="inclusive")[-1],
    }


def measure(
    space: SearchSpace, size: tuple[int, int], count: int, suggested: int, seed: int
) -> dict[str, Any]:
    """Everything as a JSON document."""
    devices = {
        device: {
            stage: summary(times)
            for stage, times in time_stages(space, size, device, count, seed).items()
        }
        for device in device_names()
    }
    return {
        "machine": {
            "cores": os.cpu_count(),
            "cpu": platform.machine(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "space": space.name,
        "input": list(size),
        "count": count,
        "devices": devices,
        "suggest": {"count": suggested, **summary(time_suggest(space, suggested, seed))},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", choices=tuple(SPACES), default="unet_isp")
    parser.add_argument("--size", default="544x960", help="input HxW")
    parser.add_argument("--count", type=int, default=1000, help="architectures a device")
    parser.add_argument("--suggested", type=int, default=100, help="architectures through Optuna")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if min(options.count, options.suggested) < 2:
        parser.error("--count and --suggested: percentiles take at least 2")
    height, width = (int(side) for side in options.size.split("x"))
    found = measure(
        SPACES[options.space], (height, width), options.count, options.suggested, options.seed
    )
    print(json.dumps(found, indent=2) if options.json else report(found))


def report(found: dict[str, Any]) -> str:
    """The document as a table."""
    machine, (height, width) = found["machine"], found["input"]
    lines = [
        f"{machine['cores']} cores {machine['cpu']}, Python {machine['python']}; one core, CPU ms",
        f"{found['count']} random architectures of {found['space']} at {height}x{width}",
    ]
    for device, stages in found["devices"].items():
        lines.append(f"\n{device:20} median     p90")
        for stage, ms in stages.items():
            lines.append(f"  {stage:18} {ms['median_ms']:6.3f}  {ms['p90_ms']:6.3f}")
    ms = found["suggest"]
    name = f"suggest ({ms['count']}, Optuna)"
    lines.append(f"\n{name:20} {ms['median_ms']:6.3f}  {ms['p90_ms']:6.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

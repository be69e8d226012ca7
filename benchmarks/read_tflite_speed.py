"""How long a .tflite file takes from its bytes to a predicted run time.

    python benchmarks/read_tflite_speed.py MODEL.tflite [--device NAME]

CPU time of one core in ms, median of `--runs` readings; the first one, which imports the
reader and NumPy and loads nothing else, is given by itself.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latency import LatencyOracle, lower, read_tflite


def cpu_ms(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    start_ns = time.thread_time_ns()
    result = work(*arguments)
    return result, (time.thread_time_ns() - start_ns) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--device", default="snapdragon-8-gen-1")
    parser.add_argument("--runs", type=int, default=50)
    options = parser.parse_args()
    data = options.model.read_bytes()
    times: dict[str, list[float]] = {"read": [], "lower": [], "predict": []}
    for _ in range(options.runs):
        oracle = LatencyOracle(options.device)  # a fresh one remembers no kernel
        graph, read_ms = cpu_ms(read_tflite, data)
        times["read"].append(read_ms)
        times["lower"].append(cpu_ms(lower, graph, oracle.profile.gpu)[1])
        times["predict"].append(cpu_ms(oracle.predict, graph)[1])
    print(f"{options.model.name}: {len(graph.ops)} ops, {len(data):,} bytes, {options.device}")
    for stage, found in times.items():
        print(f"  {stage:8} median {statistics.median(found):6.2f} ms, first {found[0]:6.2f} ms")


if __name__ == "__main__":
    main()

"""Fuzz the .tflite reader and everything behind it, guided by coverage.

    pip install -e '.[fuzz]'
    python benchmarks/fuzz_tflite.py CORPUS --seconds 300

CORPUS is a folder of .tflite files, the inputs that found something new are added to it. An
empty one is filled with small exports first. An input may be refused with a typed error or be
priced for every device; any other exception, more than `--timeout` seconds or `--memory-mb` of
memory is a finding: the input is kept in the current folder as crash-*, timeout-* or oom-*.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["latency", "tflite", "flatbuffers"]):
    import tflite  # noqa: F401  (instrumented here, imported late by the reader)

    from latency import GraphError, LatencyOracle, device_names, read_tflite
    from latency.explain import explain

ORACLES = [LatencyOracle(name) for name in device_names()]
SEEDS = ("mialgo_track1", "multimedia_syenet", "jmu_cvlab", "rainbow")


def one_input(data: bytes) -> None:
    """What a user does with an untrusted file."""
    try:
        graph = read_tflite(data)
        for oracle in ORACLES:
            estimate = oracle.predict(graph)
            explain(graph, oracle.profile.gpu)
            if not (math.isfinite(estimate.ms) and estimate.low_ms <= estimate.ms):
                raise RuntimeError(f"predicted {estimate.ms} ms from {estimate.low_ms} ms")
    except GraphError as error:
        if "\n" in str(error):
            raise RuntimeError("an error of several lines") from error


def write_seeds(corpus: Path) -> None:
    """Export a few systems of the zoo, small, each by the command that users have."""
    corpus.mkdir(parents=True, exist_ok=True)
    for name in SEEDS:
        command = ["lensnas", "zoo", "build", name, "--resolution", "128x128"]
        subprocess.run([*command, "-o", str(corpus / f"{name}.tflite")], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seconds", type=int, default=60, help="in all")
    parser.add_argument("--timeout", type=int, default=2, help="seconds for one input")
    parser.add_argument("--memory-mb", type=int, default=1024)
    options = parser.parse_args()
    if not options.corpus.is_dir() or not any(options.corpus.iterdir()):
        write_seeds(options.corpus)
    atheris.Setup(
        [
            sys.argv[0],
            str(options.corpus),
            f"-max_total_time={options.seconds}",
            f"-timeout={options.timeout}",
            f"-rss_limit_mb={options.memory_mb}",
            "-max_len=65536",
        ],
        one_input,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()

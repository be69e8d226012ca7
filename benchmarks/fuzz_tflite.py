"""Fuzz the .tflite reader and everything behind it, guided by coverage.

    pip install -e '.[fuzz]'
    python benchmarks/fuzz_tflite.py CORPUS --seconds 300

CORPUS is a folder of .tflite files, the inputs that found something new are added to it. An
empty one is filled with small exports first. An input may be refused with a typed error or be
priced for every device; any other exception, more than `--timeout` seconds or `--memory-mb` of
memory is a finding: the input is kept in the current folder as crash-*, timeout-* or oom-*.

Half of the inputs are damaged bytes, which the reader mostly refuses. The other half are whole
files that say something else: taken apart into tables, changed there and written again.
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import atheris
import flatbuffers
from ai_edge_litert import schema_py_generated as schema

with atheris.instrument_imports(include=["latency", "tflite"]):
    import tflite  # noqa: F401  (instrumented here, imported late by the reader)

    from latency import GraphError, LatencyOracle, device_names, read_tflite
    from latency.explain import explain

ORACLES = [LatencyOracle(name) for name in device_names()]
SEEDS = ("mialgo_track1", "multimedia_syenet", "jmu_cvlab", "rainbow")
NUMBERS = (-(2**31), -9, -2, -1, 0, 1, 2, 3, 4, 5, 16, 17, 2**16, 2**31 - 1)
MAX_BYTES = 65536


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
        if not str(error).isprintable():
            raise RuntimeError("an error that is no line of text") from error


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """`data` with a few of its bytes or of its tables changed."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        return atheris.Mutate(data, max_size)
    try:
        model = schema.ModelT.InitFromPackedBuf(data)
        for _ in range(rng.randint(1, 4)):
            change_tables(rng, model.subgraphs[0])
        builder = flatbuffers.Builder(len(data))
        builder.Finish(model.Pack(builder), b"TFL3")
        changed = bytes(builder.Output())
    except Exception:  # bytes that are no file any more, or values that no field takes
        return atheris.Mutate(data, max_size)
    return changed if len(changed) <= max_size else atheris.Mutate(data, max_size)


def change_tables(rng: random.Random, subgraph: Any) -> None:
    """One change to a random operator or tensor."""
    operator = rng.choice(subgraph.operators)
    other = rng.choice(subgraph.operators)
    change = rng.randrange(6)
    if change == 0:  # another wiring: cycles, tensors written twice, arguments as activations
        side = rng.choice(("inputs", "outputs"))
        wires = list(getattr(operator, side))
        wires[rng.randrange(len(wires))] = rng.randrange(-1, len(subgraph.tensors) + 1)
        setattr(operator, side, wires)
    elif change == 1:
        subgraph.operators.insert(rng.randrange(len(subgraph.operators) + 1), other)
    elif change == 2:
        subgraph.operators.remove(operator)
    elif change == 3:
        operator.opcodeIndex = other.opcodeIndex
        operator.builtinOptionsType = other.builtinOptionsType
        operator.builtinOptions = other.builtinOptions
    elif change == 4:
        shape = list(rng.choice(subgraph.tensors).shape)
        shape[rng.randrange(len(shape))] = rng.choice(NUMBERS)
        rng.choice(subgraph.tensors).shape = shape
    else:
        options = operator.builtinOptions
        setattr(options, rng.choice(list(vars(options))), rng.choice(NUMBERS))


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
            f"-max_len={MAX_BYTES}",
        ],
        one_input,
        custom_mutator=mutated,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()

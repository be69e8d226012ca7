"""Output of LiteRT's own benchmark tools: the C++ benchmark_model and Python's litert-benchmark.

    ========== BENCHMARK RESULTS ==========
    Inference (avg):      71.45 ms (14 runs)

The C++ tool prints the lines of the classic one too, with more digits.
"""

from __future__ import annotations

import re

from latency.measurements.log_lines import (
    Line,
    delegation_of,
    lines_of,
    model_of,
    number,
    sessions,
)
from latency.measurements.measurement import Measurement, MeasurementError, spread_notes

from .benchmark_model import START, Runs, timed_runs
from .context import Context
from .op_profile import kernel_times

_MODEL_OR_START = re.compile(rf"{START.pattern}|Model: +\S")
_AVERAGE = re.compile(r"Inference \(avg\):\s+(\S+) ms(?: \((\d{1,12}) runs\))?")
_STD = re.compile(r"Inference \(std\):\s+(\S+)")
_FULL = re.compile(r"Fully accelerated:\s+(True|False)")
_ACCELERATORS = re.compile(r"Accelerators:\s+(.+)")
_FLAG = re.compile(r"Use (gpu|npu): \[1\]|.*--use_(gpu|npu)\b(?!=false)", re.IGNORECASE)


def recognises(text: str) -> bool:
    """Whether a text is such an output."""
    return any(_AVERAGE.match(line.text) for line in lines_of(text))


def read(text: str, context: Context) -> list[Measurement]:
    """One measurement for each block of results."""
    pieces = sessions(lines_of(text), _MODEL_OR_START)
    measurements = [m for piece in pieces if (m := _measurement(piece, context))]
    if not measurements:
        raise MeasurementError("no line 'Inference (avg): ... ms'")
    return measurements


def _measurement(lines: list[Line], context: Context) -> Measurement | None:
    averages = [(line, m) for line in lines if (m := _AVERAGE.match(line.text))]
    if not averages:
        return None
    line, average = averages[0]
    if len(averages) > 1:
        problem = "several results without their model's name: import one file for each model"
        raise MeasurementError(problem, line=averages[1][0].number)
    runs = timed_runs(lines) or _runs(lines, line, average)
    where = delegation_of(lines, _asked(lines) or context.needs_accelerator())
    full = next((m[1] == "True" for it in lines if (m := _FULL.match(it.text))), None)
    return context.measurement(
        line=runs.line,
        model=model_of(lines),
        ms=runs.mean_ms,
        std_ms=runs.std_ms,
        runs=runs.count,
        accelerator=where.accelerator,
        delegated=where.delegated if full is None else full,
        delegated_ops=where.delegated_ops,
        total_ops=where.total_ops,
        partitions=where.partitions,
        method="LiteRT benchmark_model",
        kernels=kernel_times(lines),
        notes=(*where.notes, *spread_notes(runs.mean_ms, runs.std_ms)),
    )


def _runs(lines: list[Line], line: Line, average: re.Match[str]) -> Runs:
    spread = next(((it, m) for it in lines if (m := _STD.match(it.text))), None)
    std_ms = number(spread[1][1], spread[0].number) if spread else None
    count = int(average[2]) if average[2] else None
    return Runs(number(average[1], line.number), std_ms, count, line.number)


def _asked(lines: list[Line]) -> str | None:
    """The accelerator asked for; None where only the results were kept."""
    for line in lines:
        if match := _ACCELERATORS.match(line.text):
            named = match[1].lower()
            return next((name for name in ("npu", "gpu") if name in named), "cpu")
        if match := _FLAG.match(line.text):
            return (match[1] or match[2]).lower()
    return "cpu" if any(START.match(line.text) for line in lines) else None

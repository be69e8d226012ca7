"""Logs of benchmark_model, the TensorFlow Lite tool: from adb, its Android app or logcat.

    INFO: count=50 first=45401 curr=8772 min=8499 max=45401 avg=9580.26 std=5119

once for the warm-up and once, in the same words, for the timed runs; microseconds.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from latency.measurements.log_lines import (
    Line,
    delegation_of,
    lines_of,
    model_of,
    number,
    sessions,
)
from latency.measurements.measurement import Measurement, MeasurementError, spread_notes

from .context import Context
from .op_profile import kernel_times

START = re.compile(r"STARTING!")
_COUNT = re.compile(r"count=(\d{1,12})\b(.*)")
_FIELD = re.compile(r"\b(\w{1,16})=([-+.\w]{1,32})")
_SUMMARY = re.compile(r"Inference timings in us:.*Inference \(avg\): (\S+)")
_GPU = re.compile(r"Use gpu: \[1\]|Created TensorFlow Lite delegate for GPU|.*--use_gpu=(?:true|1)")
_NPU = re.compile(r"Use NNAPI: \[1\]|Use Hexagon: \[1\]", re.IGNORECASE)
_ERROR = re.compile(r"ERROR\b|Benchmarking failed|Failed to|.*(?:Killed|Segmentation fault)")
_THREADS = re.compile(r"Num threads: \[(\d{1,4})\]")
_MAX_DISAGREEMENT = 0.01


@dataclass(frozen=True, slots=True)
class Runs:
    """Timed runs: their mean and standard deviation in ms. `count` None: the log does not say."""

    mean_ms: float
    std_ms: float | None
    count: int | None
    line: int


def recognises(text: str) -> bool:
    """Whether a text is such a log."""
    return any(
        line.text.startswith(("count=", "Inference timings in us:")) for line in lines_of(text)
    )


def read(text: str, context: Context) -> list[Measurement]:
    """One measurement for each run of the tool in the log."""
    found = [_measurement(piece, context) for piece in sessions(lines_of(text), START)]
    measurements = [measurement for measurement in found if measurement]
    if not measurements:
        raise MeasurementError("no timed run in the log")
    return measurements


def timed_runs(lines: list[Line]) -> Runs | None:
    """The timed runs of one session, never the warm-up; None where there are none."""
    counts = [(line, m) for line in lines if (m := _COUNT.match(line.text))]
    summary = next(((line, m) for line in lines if (m := _SUMMARY.match(line.text))), None)
    mean_us = number(summary[1][1], summary[0].number) if summary else None
    if len(counts) < 2:
        # People keep only the summary; it has the mean but not how many runs.
        return Runs(mean_us / 1000, None, None, summary[0].number) if summary and mean_us else None
    line, match = counts[1]
    runs = _runs(line, int(match[1]), dict(_FIELD.findall(match[2])))
    if mean_us is not None and not math.isclose(
        mean_us, runs.mean_ms * 1000, rel_tol=_MAX_DISAGREEMENT
    ):
        raise MeasurementError(
            f"the timed runs take {runs.mean_ms * 1000:g} us, the log's summary says {mean_us:g}: "
            "are two logs mixed?",
            line=line.number,
        )
    return runs


def _runs(line: Line, count: int, fields: dict[str, str]) -> Runs:
    mean = fields.get("avg", fields.get("curr"))
    if count == 0 or mean is None:
        raise MeasurementError("no timed run was made", line=line.number)
    # One run, or runs that all took the same, are printed without statistics.
    std = fields.get("std", "0" if count > 1 else None)
    std_ms = None if std is None else number(std, line.number) / 1000
    return Runs(number(mean, line.number) / 1000, std_ms, count, line.number)


def _measurement(lines: list[Line], context: Context) -> Measurement | None:
    """The measurement of one session; None for lines before the first that have no timing."""
    runs = timed_runs(lines)
    if runs is None:
        _explain_missing(lines)
        return None
    asked = _asked(lines) or context.needs_accelerator()
    where = delegation_of(lines, asked)
    return context.measurement(
        line=runs.line,
        model=model_of(lines),
        ms=runs.mean_ms,
        std_ms=runs.std_ms,
        runs=runs.count,
        accelerator=where.accelerator,
        delegated=where.delegated,
        delegated_ops=where.delegated_ops,
        total_ops=where.total_ops,
        partitions=where.partitions,
        method=_method(lines, asked),
        kernels=kernel_times(lines),
        notes=(*where.notes, *spread_notes(runs.mean_ms, runs.std_ms)),
    )


def _explain_missing(lines: list[Line]) -> None:
    """Raise for a session that began and has no timed run."""
    began = any(START.match(line.text) or _COUNT.match(line.text) for line in lines)
    errors = [line for line in lines if _ERROR.match(line.text)]
    if errors:
        problem = f"benchmark_model failed: {errors[0].text}"
        raise MeasurementError(problem, line=errors[0].number)
    if began:
        problem = "the log ends before the timed runs: was the tool stopped?"
        raise MeasurementError(problem, line=lines[-1].number)


def _asked(lines: list[Line]) -> str | None:
    """The accelerator asked for; None in an excerpt without the lines that would say it."""
    if any(_GPU.match(line.text) for line in lines):
        return "gpu"
    if any(_NPU.match(line.text) for line in lines):
        return "npu"
    return "cpu" if any(START.match(line.text) for line in lines) else None


def _method(lines: list[Line], asked: str) -> str:
    app = any("BenchmarkModelActivity" in line.text for line in lines)
    threads = next((m[1] for line in lines if (m := _THREADS.match(line.text))), None)
    words = ["benchmark_model"]
    words += ["--use_gpu=true"] if asked == "gpu" else []
    words += [f"--num_threads={threads}"] if asked == "cpu" and threads else []
    words += ["in its Android app"] if app else []
    return " ".join(words)

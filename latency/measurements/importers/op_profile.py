"""Op profiles of benchmark_model: the table in its log, and its --profiling_output_csv_file.

    [node type]  [start]  [first]  [avg ms]  [%]  [cdf%]  [mem KB]  [times called]  [Name]

[start] is gone from newer tools. Node types hold blanks ("convolution_2d 0 -> relu 1"),
numbers and, unquoted in the CSV too, commas ("Convolution (NHWC, F32) IGEMM"), so a
row is recognised by its numbers.
"""

from __future__ import annotations

import re

from latency.measurements.log_lines import Line, lines_of, number
from latency.measurements.measurement import KernelTime, Measurement, MeasurementError

from .context import Context

_REGULAR_RUNS = ("Operator-wise Profiling Info", "BENCHMARK RESULTS")
"""What stands above the table of the timed runs: the classic tool's heading, then LiteRT's."""
_INITIALIZATION = "Profiling Info for Benchmark Initialization"
_INTERNAL = "Delegate internal"
_TABLE = "= Run Order ="
_HEADER = re.compile(r"\s*\[?node type\]?[,\s].*\bavg[ _]ms\b")
_GPU_ROW = re.compile(r"TfLiteGpuDelegate|[a-z][\w>-]* \d+( ->|$)")
_ROW = r"""
    \s* (?P<type> \S.{0,400}? ) [,\s]+
    (?P<times> (?: [-+.\w]+ [,\s]+ ){%d} )     # start?, first, avg ms
    \S+% [,\s]+ \S+% [,\s]+                   # share, cumulated share
    [-+.\w]+ [,\s]+                           # memory
    (?P<called> \d{1,9} ) (?: [,\s] | $ )
"""
_ROW_OF = {columns: re.compile(_ROW.replace("%d", str(columns)), re.VERBOSE) for columns in (2, 3)}


def recognises(text: str) -> bool:
    """Whether the file is an op profile on its own."""
    return _TABLE in text and "node type" in text


def read(text: str, context: Context) -> list[Measurement]:
    """A measurement without an end-to-end time: `ms` is the sum of the kernels."""
    lines = lines_of(text)
    kernels = kernel_times(lines)
    if not kernels:
        raise MeasurementError("no kernel in the op profile's 'Run Order' table", line=len(lines))
    total_ms = sum(kernel.ms for kernel in kernels)
    note = "op profile without the log of its run: ms is the sum of the kernels, a run takes longer"
    return [
        context.measurement(
            ms=total_ms,
            statistic="kernel_sum",
            accelerator=_accelerator(kernels) or context.needs_accelerator(),
            method="benchmark_model --enable_op_profiling=true",
            kernels=kernels,
            notes=(note,),
        )
    ]


def kernel_times(lines: list[Line]) -> tuple[KernelTime, ...]:
    """The kernels of the timed runs in run order; none where the log has no profile.

    Where the tool profiles a delegate from inside, its kernels take the place
    of the one row of that delegate.
    """
    lines = _timed_part(lines)
    rows = _run_order(lines)
    inside = _run_order(_after(lines, _INTERNAL) or [])
    delegates = [i for i, row in enumerate(rows) if "delegate" in row.name.lower()]
    if inside and len(delegates) == 1:
        rows[delegates[0] : delegates[0] + 1] = inside
    return tuple(rows)


def _accelerator(kernels: tuple[KernelTime, ...]) -> str | None:
    """The GPU where a row is the delegate's or one of its kernels; the CPU leaves no sure sign."""
    return "gpu" if any(_GPU_ROW.match(kernel.name) for kernel in kernels) else None


def _timed_part(lines: list[Line]) -> list[Line]:
    for heading in _REGULAR_RUNS:
        if (part := _after(lines, heading)) is not None:
            return part
    # The oldest tools print the table alone; one of the initialization is another matter.
    return lines if _after(lines, _INITIALIZATION) is None else []


def _after(lines: list[Line], heading: str) -> list[Line] | None:
    """The lines below the first one that has `heading`; None where none has."""
    for index, line in enumerate(lines):
        if heading in line.text:
            return lines[index + 1 :]
    return None


def _run_order(lines: list[Line]) -> list[KernelTime]:
    """The rows of the first "Run Order" table."""
    rows: list[KernelTime] = []
    row_pattern: re.Pattern[str] | None = None
    for line in _after(lines, _TABLE) or []:
        if _HEADER.match(line.text):
            row_pattern = _ROW_OF[3 if "start" in line.text else 2]
        elif line.text:
            found = row_pattern.match(line.text) if row_pattern else None
            if not found:
                break
            rows.append(_kernel(found, line))
    return rows


def _kernel(row: re.Match[str], line: Line) -> KernelTime:
    average = re.findall(r"[-+.\w]+", row["times"])[-1]
    # The average is that of one call; a node inside a loop is called several times in a run.
    return KernelTime(row["type"], number(average, line.number) * int(row["called"]))

"""Run times typed by hand, as from the screen of the AI Benchmark app, which exports nothing.

model,device,gpu_ms,runs,notes
mialgo_track1,Pixel 8,6.4,20,"AI Benchmark 6, pro mode"
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

from latency.measurements.measurement import Measurement, MeasurementError, spread_notes

from .context import Context

TIMES = {"ms": None, "gpu_ms": "gpu", "cpu_ms": "cpu", "npu_ms": "npu"}
"""Columns of the run time, and the accelerator that each implies."""
COLUMNS = (
    "model", "device", *TIMES, "accelerator", "runs", "std_ms", "statistic", "method", "date",
    "notes",
)  # fmt: skip


def recognises(text: str) -> bool:
    """Whether the first line is a header with a model and a run time."""
    header = _names(text.lstrip("\n").split("\n", 1)[0].split(","))
    return "model" in header and any(name in header for name in TIMES)


def read(text: str, context: Context) -> list[Measurement]:
    """One measurement a row."""
    rows = _rows(text)
    try:
        number, header = next(rows)
    except StopIteration:
        raise MeasurementError("empty: the first line must name the columns") from None
    names = _names(header)
    _check_header(names, number)
    measurements = [_measurement(names, row, context, number) for number, row in rows]
    if not measurements:
        raise MeasurementError("no row below the header", line=number)
    return measurements


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with their line numbers."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise MeasurementError(f"not CSV: {error}", line=reader.line_num) from error


def _names(header: list[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _check_header(names: list[str], line: int) -> None:
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise MeasurementError("separate the columns by commas", line=line)
    for name in names:
        if name not in COLUMNS:
            known = ", ".join(COLUMNS)
            raise MeasurementError(f"unknown column {name!r}; known: {known}", line=line)
    if len(set(names)) < len(names):
        raise MeasurementError("a column is named twice", line=line)
    times = [name for name in names if name in TIMES]
    if "model" not in names or len(times) != 1:
        raise MeasurementError(
            f"the columns must be model, one of {', '.join(TIMES)}, and any others", line=line
        )
    if "accelerator" in names and times != ["ms"]:
        raise MeasurementError(f"{times[0]} says the accelerator already", line=line)


def _measurement(names: list[str], row: list[str], context: Context, line: int) -> Measurement:
    if len(row) != len(names):
        raise MeasurementError(
            f"{len(row)} fields below {len(names)} columns (quote text that has a comma)",
            line=line,
        )
    fields = {name: text.strip() for name, text in zip(names, row, strict=True) if text.strip()}
    try:
        return _parse(fields, context)
    except MeasurementError as error:
        raise MeasurementError(error.problem, line=line) from error


def _parse(fields: dict[str, str], context: Context) -> Measurement:
    column = next((name for name in TIMES if name in fields), None)
    if column is None:
        raise MeasurementError("no run time")
    if "model" not in fields:
        raise MeasurementError("no model")
    accelerator = TIMES[column] or fields.get("accelerator", "").lower()
    ms = _number(column, fields[column])
    std_ms = _number("std_ms", fields["std_ms"]) if "std_ms" in fields else None
    notes = (fields["notes"],) if "notes" in fields else ()
    return context.measurement(
        model=fields["model"].removesuffix(".tflite"),
        device=fields.get("device"),
        ms=ms,
        std_ms=std_ms,
        runs=_count(fields["runs"]) if "runs" in fields else None,
        statistic=fields.get("statistic"),
        accelerator=accelerator or context.needs_accelerator(),
        method=fields.get("method", "typed"),
        date=fields.get("date"),
        notes=(*notes, *spread_notes(ms, std_ms)),
    )


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        hint = f"; write {text.replace(',', '.')}" if "," in text else ""
        raise MeasurementError(f"{name} is {text!r}, not a number{hint}") from None
    if not math.isfinite(value):
        raise MeasurementError(f"{name} is {text!r}, not a number")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise MeasurementError(f"runs is {text!r}, not a count")
    return int(text)

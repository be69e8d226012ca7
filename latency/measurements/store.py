"""Measurements on disk: JSON Lines, one measurement a line, only ever appended to."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path

from .measurement import Measurement, MeasurementError, from_record, to_record


def read_measurements(path: Path | str) -> list[Measurement]:
    """All measurements of a file, in the order they were made.

    Raises `MeasurementError` naming the line that cannot be read, a torn last
    line included, and `OSError` where the file cannot be opened.
    """
    return _parse(Path(path).read_bytes(), Path(path))


def append_measurements(path: Path | str, measurements: Iterable[Measurement]) -> None:
    """Add measurements to a file, which is made if need be: all of them or, on an error, none.

    Several processes may append to one file. Raises `MeasurementError` where the
    last line is torn (a write was cut short, by a power cut say): what is
    appended to it would be lost with it.
    """
    path = Path(path)
    lines = "".join(
        json.dumps(to_record(m), ensure_ascii=False, allow_nan=False) + "\n" for m in measurements
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        try:
            file.write(_separator(file.fileno(), size, path) + lines.encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)  # A full disk leaves half a line otherwise.
            raise


def _separator(handle: int, size: int, path: Path) -> bytes:
    """What is needed before the next line; nothing, unless an editor left out the last newline."""
    if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
        return b""
    _parse(path.read_bytes(), path)
    return b"\n"


def _parse(content: bytes, path: Path) -> list[Measurement]:
    measurements = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            measurements.append(from_record(json.loads(line)))
        except MeasurementError as error:
            raise MeasurementError(error.problem, path=path, line=number) from error
        except (ValueError, RecursionError) as error:
            last = number == len(lines)
            problem = "torn line, its write was cut short: delete it" if last else "not JSON"
            raise MeasurementError(problem, path=path, line=number) from error
    return measurements

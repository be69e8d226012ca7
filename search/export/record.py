"""A bundle on disk as its own record says, read without TensorFlow by what uses bundles."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency import Graph, read_tflite
from latency.graph import GraphError
from latency.measurements import Measurement, read_measurements
from search.data.pairs import Encoding, encoder_for
from search.data.raw import Sensor
from search.errors import UserError
from search.export.variant import known_precision
from search.tasks import TASKS, Task
from spaces.architecture import Architecture

RECORD = "verification.json"
MEASUREMENTS = "measurements.jsonl"
"""Run times of the bundle's files, in the format of all measurements."""


def file_name(precision: str) -> str:
    """The .tflite file of a `precision` in its bundle."""
    return f"model_{precision}.tflite"


@dataclass(frozen=True)
class StoredFile:
    """One .tflite file as it was verified. Times are predicted for the bundle's device, in ms."""

    precision: str
    sha256: str
    predicted_ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True)
class StoredBundle:
    """What a bundle says of itself. `psnr_db`: on the validation part of `dataset`.

    `encoding`, `sensor`: how a photograph becomes the files' input.
    """

    directory: Path
    study: str
    task: Task
    device: str
    architecture: Architecture
    origin: str
    dataset: str
    psnr_db: float
    encoding: Encoding
    sensor: Sensor | None
    files: Mapping[str, StoredFile]

    def file(self, precision: str | None = None) -> StoredFile:
        """The file of a `precision`, by default the first. UserError where there is none."""
        if precision is None:
            return next(iter(self.files.values()))
        if precision not in self.files:
            known = ", ".join(self.files)
            raise UserError(f"{self.directory} has no {precision} file: it holds {known}")
        return self.files[precision]

    def path(self, file: StoredFile) -> Path:
        """Where a file of the bundle lies."""
        return self.directory / file_name(file.precision)

    def measurements(self) -> list[Measurement]:
        """What was measured of the files that the bundle holds, in the order it was made.

        Raises `MeasurementError` where that cannot be read.
        """
        path = self.directory / MEASUREMENTS
        known = {file.sha256 for file in self.files.values()}
        found = read_measurements(path) if path.exists() else []
        return [m for m in found if m.sha256 in known and m.statistic != "kernel_sum"]

    def content(self, file: StoredFile) -> bytes:
        """The bytes of a file. UserError where it is missing, or not the one that was verified."""
        path = self.path(file)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise UserError(
                f"{path} is not the file that was verified (its SHA-256 differs): export it again"
            )
        return content


def graph_of(content: bytes, path: Path) -> Graph:
    """The graph of the `content` of a .tflite file. UserError, which names `path`, for no such."""
    try:
        return read_tflite(content)
    except GraphError as error:
        raise UserError(f"{path}: {error}") from error


def input_channels(content: bytes, path: Path) -> int:
    """Of a .tflite file; UserError for one that does not take one picture."""
    graph = graph_of(content, path)
    shapes = [graph.tensors[tensor].shape for tensor in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise UserError(f"{path} does not take one picture")
    return shapes[0][-1]


def is_bundle(path: Path) -> bool:
    """Whether a folder holds an export."""
    return (path / RECORD).is_file()


def read_bundle(directory: Path) -> StoredBundle:
    """The record of a bundle. UserError where there is none or it is damaged."""
    path = directory / RECORD
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{directory} is no bundle, it has no {RECORD}: see lensnas export"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from None
    try:
        return _parsed(directory, document)
    except KeyError as error:
        raise UserError(
            f"{path} lacks {error}: it is damaged or of an older version, export again"
        ) from None
    except (TypeError, ValueError, AttributeError, UserError) as error:
        raise UserError(f"{path} is damaged: {error}") from None


def _parsed(directory: Path, document: Any) -> StoredBundle:
    files = [_parsed_file(entry) for entry in document["files"]]
    if not files:
        raise ValueError("it lists no file")
    if document["task"] not in TASKS:
        raise ValueError(f"unknown task {document['task']!r}")
    sensor = document["sensor"]
    sensor = None if sensor is None else Sensor.from_dict(sensor)
    encoder_for(sensor, document["encoding"])  # Refuses one that is none.
    return StoredBundle(
        directory=directory,
        study=document["study"],
        task=TASKS[document["task"]],
        device=document["device"],
        architecture=Architecture.from_json(json.dumps(document["architecture"])),
        origin=document["origin"],
        dataset=document["dataset"],
        psnr_db=float(document["psnr_db"]),
        encoding=document["encoding"],
        sensor=sensor,
        files={file.precision: file for file in files},
    )


def _parsed_file(entry: Any) -> StoredFile:
    times_ms = {name: float(entry[name]) for name in ("predicted_ms", "low_ms", "high_ms")}
    if not all(0 < time_ms < math.inf for time_ms in times_ms.values()):
        raise ValueError(f"predicted times {times_ms}")
    # A precision is part of a file's name: no other may lead out of the bundle.
    return StoredFile(known_precision(entry["precision"]), str(entry["sha256"]), **times_ms)

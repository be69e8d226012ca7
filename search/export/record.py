"""A bundle on disk as its own record says, read without TensorFlow by what uses bundles."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from latency import Graph, read_tflite
from latency.graph import GraphError
from latency.measurements import Measurement, read_measurements
from search.data.pairs import Encoding, encoder_for
from search.data.raw import Sensor
from search.errors import UserError
from search.export.variant import Variant, known_precision
from search.tasks import TASKS, Task
from search.tasks.task import ImageShape
from spaces.architecture import Architecture

RECORD = "verification.json"
PICTURES = "pictures"
FORMAT = 2
"""Of the record. 1 had no pictures, no digests but the files' own, and one resolution."""
MEASUREMENTS = "measurements.jsonl"
"""Run times of the bundle's files, in the format of all measurements."""
_MOST_SIDE = 1 << 16


@dataclass(frozen=True)
class StoredFile:
    """One .tflite file as it was verified. Times are predicted for the bundle's device, in ms.

    `check_psnr_db`: of the check picture against its target; None where it is no number, and in
    records of format 1. `failures`: checks that it did not pass, where the export was forced.
    """

    variant: Variant
    sha256: str
    predicted_ms: float
    low_ms: float
    high_ms: float
    check_psnr_db: float | None = None
    failures: tuple[str, ...] = ()

    @property
    def precision(self) -> str:
        """Of its weights and activations."""
        return self.variant.precision


@dataclass(frozen=True)
class StoredBundle:
    """What a bundle says of itself. `psnr_db`: on the validation part of `dataset`.

    `encoding`, `sensor`: how a photograph becomes the files' input. `files`: by their names.
    `contents`: SHA-256 of all other files of the bundle, by their paths in it. `data_sha256`: of
    the validation images that it was verified on.
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
    contents: Mapping[str, str] = field(default_factory=dict)
    data_sha256: str | None = None
    format: int = FORMAT

    def file(self, precision: str | None = None) -> StoredFile:
        """The file of a `precision`, by default the first; at the task's resolution where there is
        one, else at the first. UserError where there is none."""
        fitting = [f for f in self.files.values() if precision in (None, f.precision)]
        if not fitting:
            known = ", ".join(dict.fromkeys(f.precision for f in self.files.values()))
            raise UserError(f"{self.directory} has no {precision} file: it holds {known}")
        return next((f for f in fitting if f.variant.at_task_size), fitting[0])

    @property
    def task_files(self) -> list[StoredFile]:
        """The files at the task's resolution; all where there is none."""
        files = list(self.files.values())
        return [file for file in files if file.variant.at_task_size] or files

    def require_study(self, study: str, task: Task) -> None:
        """Raises UserError where it was not made of this study."""
        if (self.study, self.task) != (study, task):
            raise UserError(f"{self.directory} is of study {self.study}, not of {study}")

    def path(self, file: StoredFile) -> Path:
        """Where a file of the bundle lies."""
        return self.directory / file.variant.file_name

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
    if document["task"] not in TASKS:
        raise ValueError(f"unknown task {document['task']!r}")
    task = TASKS[document["task"]]
    found = int(document.get("format", 1))
    if found > FORMAT:
        raise ValueError(f"its format is {found}, this version reads up to {FORMAT}")
    sensor = document["sensor"]
    sensor = None if sensor is None else Sensor.from_dict(sensor)
    encoder_for(sensor, document["encoding"])  # Refuses one that is none.
    files = [_parsed_file(entry, task) for entry in document["files"]]
    if not files:
        raise ValueError("it lists no file")
    return StoredBundle(
        directory=directory,
        study=document["study"],
        task=task,
        device=document["device"],
        architecture=Architecture.from_json(json.dumps(document["architecture"])),
        origin=document["origin"],
        dataset=document["dataset"],
        psnr_db=float(document["psnr_db"]),
        encoding=document["encoding"],
        sensor=sensor,
        files={file.variant.file_name: file for file in files},
        contents=_parsed_contents(document["contents"] if found > 1 else {}),
        data_sha256=str(document["data"]["sha256"]) if found > 1 else None,
        format=found,
    )


def _parsed_contents(listed: Any) -> dict[str, str]:
    """Files of the bundle, of which none may lead out of it."""
    for name in listed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"it lists {name!r}")
    return {str(name): str(sha256) for name, sha256 in listed.items()}


def _parsed_file(entry: Any, task: Task) -> StoredFile:
    times_ms = {name: float(entry[name]) for name in ("predicted_ms", "low_ms", "high_ms")}
    if not all(0 < time_ms < math.inf for time_ms in times_ms.values()):
        raise ValueError(f"predicted times {times_ms}")
    # A precision is part of a file's name: no other may lead out of the bundle.
    precision = known_precision(entry["precision"])
    shape = _parsed_shape(entry.get("input_shape", task.input_shape))
    variant = Variant(precision, shape, bool(entry.get("at_task_size", True)))
    check = entry["check"] if "input_shape" in entry else {"psnr_db": None}
    # A forced export may have one that is no number.
    check_psnr_db = None if check["psnr_db"] is None else float(check["psnr_db"])
    return StoredFile(
        variant,
        str(entry["sha256"]),
        **times_ms,
        check_psnr_db=check_psnr_db,
        failures=tuple(map(str, entry.get("failures", ()))),
    )


def _parsed_shape(entry: Any) -> ImageShape:
    height, width, channels = (int(side) for side in entry)
    if not all(0 < side < _MOST_SIDE for side in (height, width, channels)):
        raise ValueError(f"an input of shape {entry}")
    return height, width, channels

"""The model files that are measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from .measurement import MeasurementError


def file_sha256(path: Path) -> str:
    """The hash under which a model is recorded. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_files(paths: Iterable[Path]) -> list[Path]:
    """The files among `paths`, and the .tflite files in the folders among them, by name.

    Raises `MeasurementError` for a folder without any.
    """
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.tflite")) if path.is_dir() else [path]
        if not inside:
            raise MeasurementError("holds no .tflite file", path=path)
        files += inside
    return files

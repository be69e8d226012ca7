"""Files run by LiteRT in a process of their own, which native code may end without ending ours."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from latency.litert.process import ask
from search.artifacts import save_array
from search.errors import UserError

WORKER = "search.export.verification.worker"


def run_file(file: bytes, inputs: Sequence[Path], outputs: Sequence[Path], name: str) -> None:
    """Run `file` on the frames of `inputs`, .npy files [1, h, w, C]; its pictures become `outputs`.

    One frame at a time is in memory. Raises UserError, which says `name`, for a file that LiteRT
    cannot run.
    """
    with tempfile.TemporaryDirectory(prefix="lensnas-") as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(file)
        request = {
            "model": str(model),
            "inputs": [str(path) for path in inputs],
            "outputs": [str(path) for path in outputs],
        }
        answer = ask(json.dumps(request), {}, None, WORKER)
    if answer.values is None or answer.problem:
        raise UserError(f"cannot run {name}: {answer.problem}")


def run_once(file: bytes, frame: np.ndarray, name: str) -> np.ndarray:
    """The same of one frame in memory."""
    with tempfile.TemporaryDirectory(prefix="lensnas-") as folder:
        given, made = Path(folder) / "input.npy", Path(folder) / "output.npy"
        save_array(given, frame)
        run_file(file, [given], [made], name)
        output: np.ndarray = np.load(made)
    return output

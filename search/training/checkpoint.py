"""What a training run goes on from when its worker died: all that its result depends on, in a file.

Batches and what is drawn in a step depend on (seed, step) alone, so that the step stands for every
random state; a network's fresh weights and a teacher are made again and need no place here.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from search.artifacts import read_arrays, remove, write_arrays

CHECKPOINT = "checkpoint.npz"
_FACTS, _SHA256 = "facts", "sha256"


@dataclass(frozen=True)
class Checkpoint:
    """A training run after `step` steps. `curve`: (step, PSNR in dB) at the rungs so far.

    `values`: of all variables that training changes, in a fixed order.
    """

    step: int
    curve: tuple[tuple[int, float], ...]
    values: tuple[np.ndarray, ...]

    def restore(self, variables: Sequence[Any]) -> None:
        """Set `variables` to how they were; ValueError where they are others."""
        for variable, value in zip(variables, self.values, strict=True):
            variable.assign(value)


class Checkpoints:
    """The one checkpoint of a training run, written anew every `every_s` seconds of training.

    `job`: digest of everything that decides the result. Another job's checkpoint is not read, nor
    is one that is torn or damaged.
    """

    def __init__(self, path: Path, job: str, every_s: float) -> None:
        self._path, self._job, self._every_s = path, job, every_s
        self._last = time.monotonic()

    def load(self) -> Checkpoint | None:
        """The checkpoint, None where there is none to go on from; stderr says that there is one."""
        try:
            arrays = read_arrays(self._path)
            stored = arrays.pop(_SHA256).tobytes()
            if stored != _digest(arrays):
                return None
            facts = json.loads(arrays.pop(_FACTS).tobytes())
            if facts["job"] != self._job:
                return None
        except (OSError, ValueError, KeyError):
            return None
        print(f"going on from the checkpoint of step {facts['step']}", file=sys.stderr, flush=True)
        curve = tuple((int(step), float(psnr_db)) for step, psnr_db in facts["curve"])
        return Checkpoint(facts["step"], curve, tuple(arrays[name] for name in sorted(arrays)))

    def save_if_due(
        self,
        step: int,
        curve: Sequence[tuple[int, float]],
        variables: Sequence[Any],
        *,
        now: bool = False,
    ) -> bool:
        """Write one if the last is old enough, or `now`; whether it was written.

        A disk that takes none costs what the next death would have cost less, and is said on
        stderr; whether the run's own results can be written is seen when they are.
        """
        if not now and time.monotonic() - self._last < self._every_s:
            return False
        facts = {"job": self._job, "step": step, "curve": list(curve)}
        arrays = {f"{n:05d}": np.asarray(v.numpy()) for n, v in enumerate(variables)}
        arrays[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        arrays[_SHA256] = np.frombuffer(_digest(arrays), np.uint8)
        try:
            write_arrays(self._path, arrays)
        except OSError as error:
            print(f"no checkpoint at step {step}: {error}", file=sys.stderr, flush=True)
            return False
        finally:
            self._last = time.monotonic()
        return True


def remove_checkpoint(path: Path) -> None:
    """Remove it, and what a killed worker left of one that it was writing."""
    remove(path)


def _digest(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Of names, types, shapes and values; zip's own checks see no exchange of whole members."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape};".encode())
        found.update(array.tobytes())
    return found.digest()

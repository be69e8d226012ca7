"""What a training run leaves on disk: weights and a few pictures, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

WEIGHTS = "weights.npz"
PREVIEW = "preview.npz"


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write through a temporary file beside `path`: a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        # mkstemp makes files for the owner alone; what others may read is the umask's to say.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """`content` to `path`, whole or not at all."""
    write_atomically(path, lambda file: file.write(content))


def save_weights(directory: Path, weights: Sequence[np.ndarray]) -> None:
    """The model's weights in creation order."""
    arrays = {f"{i:04d}": value for i, value in enumerate(weights)}
    write_atomically(directory / WEIGHTS, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load_weights(directory: Path) -> list[np.ndarray]:
    """Inverse of `save_weights`; FileNotFoundError where there are none."""
    return read_weights(directory / WEIGHTS)


def read_weights(path: str | Path) -> list[np.ndarray]:
    """The same from a file anywhere; OSError or ValueError for one that holds no weights."""
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]


def save_preview(directory: Path, images: dict[str, np.ndarray]) -> None:
    """Picture strips: "input", "output", "target", each uint8 [N, H, W, 3]."""
    write_atomically(
        directory / PREVIEW,
        lambda file: np.savez_compressed(file, **images),  # type: ignore[arg-type]
    )


def load_preview(directory: Path) -> dict[str, np.ndarray] | None:
    """Inverse of `save_preview`; None where there is none."""
    try:
        with np.load(directory / PREVIEW, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        return None

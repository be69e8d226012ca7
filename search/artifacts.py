"""What a training run leaves on disk: weights and a few pictures, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

WEIGHTS = "weights.npz"
PREVIEW = "preview.npz"


def log_tail(log: Path, most_bytes: int) -> str:
    """The last of a log; "" where there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - most_bytes, 0))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write through a temporary file beside `path`: a reader never sees half of it.

    It is on the disk before it has its name, and its name before this returns: what is recorded of
    a file after this is true even after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for the owner alone; what others may read is the umask's to say.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A folder for what another process makes of `path`, which leaves nothing where that is killed.

    The file of `path`'s name that lies in it when the block ends well becomes `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        yield Path(folder)
        (Path(folder) / path.name).replace(path)
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove the file, and what killed processes left of it half-written."""
    for left in [path, *path.parent.glob(f".{path.name}.*")]:
        left.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """`content` to `path`, whole or not at all."""
    write_atomically(path, lambda file: file.write(content))


def save_array(path: Path, array: np.ndarray) -> None:
    """An .npy for now, not written atomically. OSError says so where the disk is full, which NumPy
    tells as a number of items."""
    try:
        np.save(path, array)
    except OSError as error:
        if error.errno is not None:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """An uncompressed .npz, whole or not at all; the SHA-256 of the file.

    Equal arrays make equal bytes.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read_arrays(path: Path, sha256: str | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz. OSError, or ValueError for a file that is none, or not the one of
    `sha256`."""
    content = path.read_bytes()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("its SHA-256 is not the one recorded with the result")
    try:
        arrays = np.load(io.BytesIO(content), allow_pickle=False)
        return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # Of damaged bytes zipfile and NumPy raise a dozen kinds.
        raise ValueError(f"it is no .npz: {error}") from None


def save_weights(directory: Path, weights: Sequence[np.ndarray]) -> str:
    """The model's weights in creation order; the SHA-256 of their file."""
    return write_arrays(directory / WEIGHTS, {f"{i:04d}": value for i, value in enumerate(weights)})


def load_weights(directory: Path, sha256: str | None = None) -> list[np.ndarray]:
    """Inverse of `save_weights`; FileNotFoundError where there are none, and as `read_weights`."""
    return read_weights(directory / WEIGHTS, sha256)


def read_weights(path: str | Path, sha256: str | None = None) -> list[np.ndarray]:
    """The same from a file anywhere; OSError, or ValueError for one that holds no weights or not
    those of `sha256`."""
    arrays = read_arrays(Path(path), sha256)
    return [arrays[name] for name in sorted(arrays)]


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

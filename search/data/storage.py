"""Writing data sets so that a killed or failed run never leaves half of one."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from search.errors import UserError


@contextmanager
def atomic_directory(final: Path) -> Iterator[Path]:
    """Yield a new directory beside `final` that becomes `final` when the block ends well.

    On an exception it is removed; after a hard kill a hidden ".NAME-*" directory may remain,
    never a `final` with parts missing. If another process finished `final` first, that one is
    kept. Raises `UserError` for a directory that cannot be written and for a full disk.
    """
    temporary = final.with_name(f".{final.name}-{uuid.uuid4().hex[:8]}")
    try:
        with user_errors(final.parent):
            temporary.mkdir(parents=True)
            yield temporary
            try:
                temporary.rename(final)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def user_errors(root: Path) -> Iterator[None]:
    """Say what is wrong with writing under `root` in the user's words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"the disk of {root} is full: free some space or choose another --root"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            message = f"{root} cannot be written ({error.strerror}): choose another --root"
        else:
            message = f"cannot write to {root}: {error}"
        raise UserError(message) from error


class NpyWriter:
    """Write a .npy array of known shape row by row, for arrays that should not be in memory.

    Plain writes, not a memory map: a full disk raises `OSError` here, but kills the process
    with SIGBUS behind a map.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self._shape, self._dtype, self._rows = shape, np.dtype(dtype), 0
        self._file = path.open("wb")
        header: dict[str, Any] = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, row: npt.NDArray[Any]) -> None:
        """Write the next row; its shape and dtype must be the array's."""
        if row.shape != self._shape[1:] or row.dtype != self._dtype:
            raise ValueError(f"row {row.shape} {row.dtype} for {self._shape} {self._dtype}")
        self._file.write(np.ascontiguousarray(row).tobytes())
        self._rows += 1

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        if kind is None and self._rows != self._shape[0]:
            raise ValueError(f"{self._rows} rows written, {self._shape[0]} announced")

"""Where a bundle is made, and how it gets to its place, whole."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.errors import UserError

from .record import PICTURES, RECORD
from .variant import PRECISIONS

_WORK = ".lensnas-export-"
_ALIVE = ".alive"
_YOUNG_S = 60
"""A folder younger than this may not be locked yet."""


def check_place(output: Path) -> None:
    """Raises UserError where no folder `output` can be: known before anything is converted."""
    if output.is_symlink() and not output.exists():
        raise UserError(f"{output} is a link to nothing")
    nearest = next((path for path in (output, *output.parents) if path.exists()), Path())
    if not nearest.is_dir():
        raise UserError(f"cannot write {output}: {nearest} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {output}: no permission for {nearest}")


@contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """A folder on the disk of `output`, to make it in; gone when the block ends.

    In `output` where that is there already, for it may be a disk of its own; else beside it. What
    exports that were killed have left there goes: pictures of whole frames are large.
    """
    home = output if output.is_dir() else output.parent
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    with tempfile.TemporaryDirectory(dir=home, prefix=_WORK) as name:
        folder = Path(name)
        with (folder / _ALIVE).open("w") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)  # Held until this process ends, however it ends.
            yield folder


def _sweep(home: Path) -> None:
    for left in home.glob(f"{_WORK}*"):
        if _abandoned(left):
            shutil.rmtree(left, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    try:
        if time.time() - folder.stat().st_mtime < _YOUNG_S:
            return False
        with (folder / _ALIVE).open("a") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # It is locked, or just going.
        return False
    return True


def put_in_place(made: Path, output: Path) -> None:
    """Move the bundle `made`, a folder on the same disk, to `output`.

    What else lies in `output`, such as measurements, stays; files of the bundle that was there go.
    Without a record a folder is no bundle: the old one goes first and the new one comes last, so
    that a folder never mixes two.
    """
    if not output.exists():
        made.rename(output)
        return
    (output / RECORD).unlink(missing_ok=True)
    shutil.rmtree(output / PICTURES, ignore_errors=True)
    names = sorted(path.name for path in made.iterdir() if path.name != RECORD)
    # By their names, not by the old record: an export that was killed here has taken that along.
    for path in output.iterdir():
        if _MODEL.fullmatch(path.name) and path.name not in names:
            path.unlink()
    for name in [*names, RECORD]:
        (made / name).replace(output / name)


_MODEL = re.compile(rf"model_({'|'.join(PRECISIONS)})(_\d+x\d+)?\.tflite")
"""Names that `Variant.file_name` gives. What else lies in a bundle has the same name in each."""

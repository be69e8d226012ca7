"""A finished bundle put where it belongs, whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .record import PICTURES, RECORD


def put_in_place(made: Path, output: Path) -> None:
    """Move the bundle `made`, a folder on the same disk, to `output`.

    What else lies in `output`, such as measurements, stays; files of the bundle that was there go.
    Without a record a folder is no bundle: the old one goes first and the new one comes last, so
    that a folder never mixes two.
    """
    if not output.exists():
        made.rename(output)
        return
    old = _files_recorded(output)
    (output / RECORD).unlink(missing_ok=True)
    shutil.rmtree(output / PICTURES, ignore_errors=True)
    names = sorted(path.name for path in made.iterdir() if path.name != RECORD)
    for name in old - {*names, RECORD}:
        (output / name).unlink(missing_ok=True)
    for name in [*names, RECORD]:
        (made / name).replace(output / name)


def _files_recorded(bundle: Path) -> set[str]:
    """Names of the files in a folder that its record lists; none where it has no good one."""
    try:
        listed = json.loads((bundle / RECORD).read_text())["contents"]
        return {name for name in listed if (bundle / name).is_file() and Path(name).name == name}
    except (OSError, ValueError, KeyError, TypeError):
        return set()

"""One photograph in one process: `python -m search.render.worker REQUEST`, the answer on stdout.

REQUEST is a `Request` as JSON. The answer is one JSON line, the fields of `Rendered` or
{"error": ...}. LiteRT may end the process: what it writes is whole or not there.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.errors import UserError

from .answer import answer
from .engine import Plan, in_8_bits, plan, render
from .photo import Opened, open_photo
from .png import write_png
from .request import Rendered, Request


def main() -> None:
    """Answer the request on the command line."""
    answer(_answered)


def _answered(request: str) -> dict[str, Any]:
    try:
        return asdict(_render(Request.from_json(request)))
    except MemoryError:
        raise UserError("out of memory: make the tiles smaller (--tile)") from None


def _render(request: Request) -> Rendered:
    began = time.perf_counter()
    opened = open_photo(request)
    how = plan(Path(request.model).read_bytes(), opened.frame.size, request.largest)
    height, width = (how.scale * side for side in how.size)
    write_png(Path(request.output), (height, width), _pictures(how, opened), opened.orientation)
    rows, columns = how.layout.rows, how.layout.columns
    return Rendered(
        height=height,
        width=width,
        tiles=how.layout.count,
        tile=how.layout.size,
        overlap=(rows.overlap, columns.overlap),
        added=(rows.covered - how.size[0], columns.covered - how.size[1]),
        passes=how.passes,
        seconds=time.perf_counter() - began,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        note=opened.note,
    )


def _pictures(how: Plan, opened: Opened) -> Iterator[npt.NDArray[np.uint8]]:
    for strip in render(how, opened.frame):
        yield in_8_bits(strip, "this photograph")


if __name__ == "__main__":
    main()

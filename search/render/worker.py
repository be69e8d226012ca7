"""One photograph in one process: `python -m search.render.worker REQUEST`, the answer on stdout.

REQUEST is a `Request` as JSON. The answer is one JSON line, the fields of `Rendered` or
{"error": ...}. LiteRT may end the process: what it writes is whole or not there.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latency.graph import GraphError
from search.data.folders import ImageError
from search.errors import UserError

from .engine import Plan, plan, render
from .photo import Opened, open_photo
from .png import write_png
from .request import Rendered, Request


def main() -> None:
    """Answer the request on the command line."""
    try:
        answer: dict[str, Any] = asdict(_render(Request.from_json(sys.argv[1])))
    except (UserError, GraphError, ImageError) as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "out of memory: make the tiles smaller (--tile)"}
    except Exception as error:  # Whatever LiteRT raises is the answer.
        answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(json.dumps(answer), flush=True)


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
        if not np.isfinite(strip).all():
            raise UserError("the network gives values that are no numbers for this photograph")
        yield np.rint(np.clip(strip, 0, 1) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()

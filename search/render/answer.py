"""What the processes that run networks answer: one JSON line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from latency.graph import GraphError
from search.data.folders import ImageError
from search.errors import UserError


def answer(run: Callable[[str], dict[str, Any]]) -> None:
    """Print what `run` makes of the request on the command line, or {"error"}, in one line."""
    try:
        found = run(sys.argv[1])
    except (UserError, GraphError, ImageError) as error:
        found = {"error": str(error)}
    except Exception as error:  # Whatever LiteRT raises is the answer.
        found = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(json.dumps(found), flush=True)

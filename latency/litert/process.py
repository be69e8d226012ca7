"""Start the worker, outlive whatever happens to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker said: `values` (None where it died or was stopped), and its stderr."""

    values: Mapping[str, Any] | None
    stderr: str
    problem: str = ""


def ask(
    request: str,
    environment: Mapping[str, str],
    limit_s: float | None,
    worker: str = "latency.litert.worker",
) -> Answer:
    """Run one process of the module `worker` on `request`, for at most `limit_s` seconds."""
    root = Path(__file__).parents[2]
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    try:
        done = subprocess.run(
            [sys.executable, "-m", worker, request],
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"").decode("utf-8", "replace")
        return Answer(None, said, f"not done within {limit_s:g} s")
    stderr = done.stderr.decode("utf-8", "replace")
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        values = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
        return Answer(None, stderr, f"LiteRT ended the process ({how})")
    return Answer(values, stderr, str(values.get("error", "")))

"""Keeping TensorFlow's C++ off the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def native_stderr_hidden() -> Iterator[None]:
    """Hide what native code writes to stderr: TensorFlow prints before it reads any setting.

    Python's own errors are raised as ever. TF_CPP_MIN_LOG_LEVEL=0 shows everything.
    """
    if os.environ.get(LEVEL) == "0":
        yield
        return
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a path
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)

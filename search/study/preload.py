"""What the fork server imports, once for all workers: the worker's module, and so TensorFlow."""

from __future__ import annotations

from .quiet import native_stderr_hidden
from .solving import solve_with_one_thread

solve_with_one_thread()

with native_stderr_hidden():
    from . import worker as worker

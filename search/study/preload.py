"""What the fork server imports, once for all workers: the worker's module, and so TensorFlow."""

from __future__ import annotations

import os

from .quiet import native_stderr_hidden

# How many threads NumPy solves with decides the last bits of a closed-form start: so one, whatever
# the machine has, and whatever a cluster's software has set for its processes.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

with native_stderr_hidden():
    from . import worker as worker

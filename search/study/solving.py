"""With how many threads NumPy solves."""

from __future__ import annotations

import os


def solve_with_one_thread() -> None:
    """For this process and those that it starts. It has to be called before NumPy is imported.

    How many there are decides the last bits of a closed-form start, and those, a few steps later,
    hundredths of a dB: so one, whatever the machine has and whatever its other software has set.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"

"""What tests of real processes ask the system, and how they wait."""

import time
from pathlib import Path


def parent_of(pid):
    """None where there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, TypeError):
        return None


def wait_for(condition, seconds=120):
    """Whether `condition()` came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False

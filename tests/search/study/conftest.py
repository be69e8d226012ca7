"""Finding the workers of this process, which are its fork server's children."""

import os
import time
from pathlib import Path

import pytest


@pytest.fixture
def worker_pids():
    """Gives the process ids of the workers."""
    return _worker_pids


def _worker_pids():
    """Every process whose grandparent is this one, once there is one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        workers = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _parent(_parent(int(entry.name))) == os.getpid()
        ]
        if workers:
            return workers
        time.sleep(0.01)
    return []


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, TypeError):
        return None

"""Finding the workers of this process, which are its fork server's children."""

import os
import time
from pathlib import Path

import pytest
from processes import parent_of


@pytest.fixture
def worker_pids():
    """Gives the process ids of the workers."""
    return _worker_pids


def _worker_pids():
    """Every child of this process's fork server, once there is one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        workers = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _is_fork_server(parent_of(int(entry.name)))
        ]
        if workers:
            return workers
        time.sleep(0.01)
    return []


def _is_fork_server(pid):
    """Not, for example, the database server that other tests started."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"multiprocessing.forkserver" in command and parent_of(pid) == os.getpid()

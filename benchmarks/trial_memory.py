"""Resident memory of a study over many short trials: driver, fork server and workers.

    python benchmarks/trial_memory.py --trials 100

Real training in real worker processes, a few steps each. Prints the resident memory after trial 10
and after the last, and the growth. Each trial has a fresh process, so only the
driver and the fork server could grow.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from search.config import parse_config
from search.study.driver import run_study
from search.study.observer import Silent
from search.study.results import TrialRecord

PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MIB


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


class MemoryWatch(Silent):
    """Notes the memory of the driver and of its children after every trial."""

    def __init__(self) -> None:
        self.driver: list[float] = []
        self.servers: list[float] = []

    def trial(self, record: TrialRecord) -> None:
        """After a trial that was trained."""
        if record.status not in ("complete", "pruned", "failed"):
            return
        self.driver.append(resident_mib(os.getpid()))
        self.servers.append(sum(map(resident_mib, children(os.getpid()))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = parse_config(
            {
                "name": "memory",
                "task": "isp",
                "output": folder,
                "trials": options.trials,
                "data": {"root": folder, "train": 16, "val": 4, "patch": 128},
                "space": {"choices": {"levels": [0, 1], "stacks": [1]}},
                "sampler": {"name": "tpe"},
                "training": {"steps": options.steps, "batch": 2, "warmup_steps": 1},
                "finals": None,
            },
            "memory",
        )
        watch = MemoryWatch()
        run_study(config, watch)
    at_10, last = watch.driver[min(9, len(watch.driver) - 1)], watch.driver[-1]
    server_10, server_last = watch.servers[min(9, len(watch.servers) - 1)], watch.servers[-1]
    found = {
        "trials": len(watch.driver),
        "driver_mib_at_trial_10": round(at_10, 1),
        "driver_mib_at_end": round(last, 1),
        "driver_growth": round(last / at_10 - 1, 4),
        "servers_mib_at_trial_10": round(server_10, 1),
        "servers_mib_at_end": round(server_last, 1),
        "servers_growth": round(server_last / server_10 - 1, 4),
    }
    print(json.dumps(found) if options.json else "\n".join(f"{k}: {v}" for k, v in found.items()))


if __name__ == "__main__":
    main()

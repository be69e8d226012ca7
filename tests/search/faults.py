"""Studies under faults: the real command line, real workers, real databases, real SIGKILL.

A round runs a small study to its end while things are killed at random, seeded moments, and then
compares what is stored with what the command's own output had said.
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml
from processes import parent_of, wait_for
from tiny_study import tiny_study

from search.errors import UserError
from search.study.results import TRAINED, read_results
from search.study.storage import load_study

ROOT = Path(__file__).parents[2]
FAULTS = {
    "postgresql": ("worker", "driver", "server", "second driver", "clock"),
    "sqlite": ("worker", "driver", "lock", "second driver", "clock"),
}
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""Debian's faketime: the only way to set a clock for some processes alone."""
SAID = re.compile(r"^trial +(\d+) +(-?[\d.]+) dB", re.MULTILINE)
ERROR = re.compile(r"^(error: .*|Traceback .*)", re.MULTILINE)
PATIENCE_S = 600
HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN EXCLUSIVE")
time.sleep(float(sys.argv[2]))
"""


@dataclass
class Outcome:
    """What became of a round; `problems` is empty where nothing was lost or doubled."""

    seed: int
    storage: str
    faults: list[str]
    said_complete: int = 0
    complete: int = 0
    trained: int = 0
    restarts: int = 0
    problems: list[str] = field(default_factory=list)
    psnr_by_digest: dict[str, float] = field(default_factory=dict)

    def to_dict(self):
        return asdict(self)


def study_round(seed, folder, server=None, *, faults=None, trials=8, outage_s=None):
    """Run a study of `trials` in `folder` under `faults`, one after the other; random ones of its
    storage unless they are given. `server`: for a study in PostgreSQL, else it is in SQLite. It is
    away for `outage_s`, for up to four seconds where that is not given."""
    rng = random.Random(seed)
    storage = "postgresql" if server else "sqlite"
    if faults is None:
        faults = [rng.choice(FAULTS[storage]) for _ in range(rng.randint(2, 5))]
    if FAKETIME is None:
        faults = [fault for fault in faults if fault != "clock"]
    victim = _Victim(folder, server, trials, with_clock="clock" in faults, outage_s=outage_s)
    outcome = Outcome(seed, storage, [])
    try:
        victim.start()
        for fault in faults:
            if not victim.at_work():
                break  # It has ended already.
            time.sleep(rng.uniform(0, 2.5))
            problem = _INJECT[fault](victim, rng)
            outcome.faults.append(fault)
            outcome.problems += [problem] if problem else []
        victim.finish()
        _check(victim, outcome)
    finally:
        victim.end()
    return outcome


class _Victim:
    """A study's command, started again whenever it was killed."""

    def __init__(self, folder, server, trials, with_clock, outage_s):
        self.folder, self.server, self.trials = folder, server, trials
        self.outage_s = outage_s
        self.log = folder / "log.txt"
        self.url = server.database() if server else f"sqlite:///{folder / 'shared.db'}"
        self.process = None
        self.environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self.clock = folder / "clock"
        if with_clock:
            self.clock.write_text("+0")
            self.environment |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        self.starts = 0
        self.server_was_killed = self.taken_over = False
        self.others = []
        self.file = self.study_file("study", folder / "runs")

    def study_file(self, name, output):
        widths = {"width_0": [8, 12, 16, 24], "width_1": [8, 16, 24, 32, 40]}
        choices = {"levels": [0, 1], "stacks": [1], "packing": [1], "conv": ["conv3"], **widths,
                   "convs_0": [1], "convs_1": [1], "head": ["conv3"]}  # fmt: skip
        changes = {
            "space": {"choices": choices}, "trials": self.trials, "workers": 2, "finals": None,
            "storage": self.url, "output": str(output),
            "data": {"root": str(self.folder.parent / "data")},
        }  # fmt: skip
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(tiny_study("faults", changes)))
        return path

    def start(self):
        self.starts += 1
        self.mark = self.said.count("Search:")
        with self.log.open("a") as log:
            self.process = self.command(self.file, stderr=log, stdout=subprocess.DEVNULL)

    def command(self, file, **streams):
        return subprocess.Popen(
            [sys.executable, "-m", "search.cli.main", "run", str(file)],
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
            **streams,
        )

    @property
    def said(self):
        return self.log.read_text() if self.log.exists() else ""

    @property
    def running(self):
        return self.process.poll() is None

    def at_work(self):
        """Whether it has come to its search, and not yet to its end."""
        begun = lambda: not self.running or self.said.count("Search:") > self.mark  # noqa: E731
        return wait_for(begun, PATIENCE_S) and (self.running)

    def workers(self):
        """Process ids of the fork server's children."""
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and parent_of(parent_of(int(entry.name))) == self.process.pid
        ]

    def finish(self):
        assert wait_for(lambda: not self.running, PATIENCE_S), self.said

    def end(self):
        """Leave nothing behind."""
        for process in [self.process, *self.others]:
            if process is not None:
                process.kill()
                process.wait()


def _kill_worker(victim, rng):
    wait_for(lambda: victim.workers() or not victim.running, PATIENCE_S)
    if pids := victim.workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(pids), signal.SIGKILL)


def _kill_driver(victim, rng):
    victim.process.kill()
    victim.process.wait()
    victim.start()


def _kill_server(victim, rng):
    victim.server_was_killed = True
    victim.server.kill()
    time.sleep(rng.uniform(0, 4) if victim.outage_s is None else victim.outage_s)
    victim.server.start()


def _lock_sqlite(victim, rng):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(victim.folder / "shared.db"), str(rng.uniform(1, 4))]
    )
    victim.others.append(holder)


def _set_clock(victim, rng):
    victim.clock.write_text(rng.choice(["-2h", "-400d", "+3d"]))


def _second_driver(victim, rng):
    other = victim.command(
        victim.study_file("second", victim.folder / "elsewhere"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    victim.others.append(other)
    _, said = other.communicate(timeout=PATIENCE_S)
    if victim.server_was_killed and other.returncode == 0:
        # The first had lost its session, and has yet to notice: then the second is the driver.
        victim.taken_over = True
        with victim.log.open("a") as log:
            log.write(said)
        return None
    if not victim.running:
        return None  # There was nobody to be refused for.
    refused = f"pid {victim.process.pid}" in said and "another 'lensnas run'" in said
    return None if refused and other.returncode == 2 else f"a second driver was let in: {said}"


_INJECT = {
    "worker": _kill_worker,
    "driver": _kill_driver,
    "server": _kill_server,
    "lock": _lock_sqlite,
    "clock": _set_clock,
    "second driver": _second_driver,
}


def _check(victim, outcome):
    said = victim.said
    outcome.restarts = victim.starts - 1
    problems = outcome.problems
    errors = ERROR.findall(said)
    stopped = victim.taken_over and victim.process.returncode == 2
    if stopped and all(re.search("taken over|driven by another", error) for error in errors):
        pass  # As it should.
    elif victim.process.returncode != 0 or errors:
        problems.append(f"exit code {victim.process.returncode}: {errors[-1:]}")
    try:
        results = read_results(*load_study(victim.url, "faults"))
    except UserError as error:
        problems.append(str(error))
        return
    stored = {t.number: t for t in results.trials}
    spoken = [(int(number), psnr) for number, psnr in SAID.findall(said)]
    outcome.said_complete, outcome.complete = len(spoken), len(results.complete)
    outcome.trained = results.trained
    for number, psnr in spoken:
        trial = stored.get(number)
        if trial is None or trial.status != "complete" or f"{trial.psnr_db:.2f}" != psnr:
            problems.append(f"trial {number} was said to have {psnr} dB, but {trial} is stored")
    if results.trained != victim.trials:
        problems.append(f"{results.trained} trials were trained of {victim.trials}")
    if sorted(stored) != list(range(len(results.trials))):
        problems.append(f"numbers of trials: {sorted(stored)}")
    if any(t.status in ("running", "waiting") for t in results.trials):
        problems.append("trials were left running or waiting")
    trained = [t for t in results.trials if t.status in TRAINED]
    doubled = {
        "said": Counter(number for number, _ in spoken),
        "architecture": Counter(t.architecture.digest for t in trained),
        "index": Counter(t.index for t in trained),
    }
    problems += [
        f"{what} {value} came {count} times"
        for what, counts in doubled.items()
        for value, count in counts.items()
        if count > 1
    ]
    outcome.psnr_by_digest = {t.architecture.digest: t.psnr_db for t in results.complete}

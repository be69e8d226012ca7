"""What a busy service answers, how fast, and what that costs a study that it runs.

    python benchmarks/service_load.py --clients 50 --watchers 5 --stored 10000

A real `lensnas serve` has a study of `--stored` complete trials and runs real ones beside it, in
turns without and with clients. The same studies train the same architectures, so their trainings
compare one by one. Each client asks for the Pareto set of the large study once a second, on a
connection of its own; watchers read the events of the study that runs.

Clients run on the same machine and take their part of it: what is printed is an upper bound.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import optuna
import yaml
from scale import made, many, study_config
from simulated import fill

from search.service.client import Client
from search.study.storage import create_or_resume, open_storage, quiet_optuna

LARGE = "large"
DISTINCT = 1000
"""Trials that are made one by one; a larger study repeats them."""


def large_study(runs: Path, stored: int) -> None:
    config = study_config(str(runs), stored, "random").model_copy(update={"name": LARGE})
    create_or_resume(config)
    storage = open_storage(config.storage_url, create=True)
    study = optuna.load_study(study_name=LARGE, storage=storage)
    fill(storage, study, many(made(min(stored, DISTINCT)), stored))


def running_study(name: str, trials: int, steps: int) -> bytes:
    """Small and real; its trainings last seconds."""
    document = {
        "name": name, "task": "isp", "trials": trials, "finals": None,
        "data": {"train": 64, "val": 8, "patch": 128}, "sampler": {"name": "random"},
        "space": {"choices": {"levels": [1], "stacks": [1], "conv": ["conv3"], "packing": [1]}},
        "training": {"steps": steps, "batch": 4},
    }  # fmt: skip
    return yaml.safe_dump(document).encode()


class Load:
    """Clients at work until `stop`. `waits_s`: of each answer; `errors`: what was none."""

    def __init__(self, port: int, clients: int, watchers: int, watched: str) -> None:
        self.waits_s: list[float] = []
        self.errors: list[str] = []
        self.events = 0
        self._port, self._watched = port, watched
        self._ends = threading.Event()
        self._threads = [
            threading.Thread(target=self._poll, args=(k / clients,)) for k in range(clients)
        ]
        self._threads += [threading.Thread(target=self._watch) for _ in range(watchers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait until all have ended."""
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _poll(self, begin_s: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        self._ends.wait(begin_s)
        while not self._ends.wait(1.0):
            begun = time.perf_counter()
            try:
                connection.request("GET", f"/api/v1/studies/{LARGE}/pareto")
                response = connection.getresponse()
                content = response.read()
            except OSError as error:
                self.errors.append(repr(error))
                connection.close()
                continue
            self.waits_s.append(time.perf_counter() - begun)
            if response.status != 200 or not json.loads(content)["trials"]:
                self.errors.append(f"{response.status}: {content[:100]!r}")

    def _watch(self) -> None:
        client = Client(f"http://127.0.0.1:{self._port}")
        for _ in client.watch(self._watched):
            self.events += 1


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, of its own."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one_round(
    client: Client, name: str, options: argparse.Namespace, port: int, *, loaded: bool
) -> tuple[dict[int, float], Load | None]:
    """Wall seconds of every training by its index, and the clients."""
    client.submit(running_study(name, options.trials, options.steps))
    load = Load(port, options.clients, options.watchers, name) if loaded else None
    for progress in client.watch(name):
        if progress.overview.state == "failed":
            raise SystemExit(progress.overview.message)
    if load is not None:
        load.stop()
    results = client.results(name)
    return {t.index: t.seconds["total"] for t in results.complete}, load


def main() -> None:
    quiet_optuna()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--watchers", type=int, default=5)
    parser.add_argument("--stored", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=6, help="of each study that runs")
    parser.add_argument("--steps", type=int, default=150)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        large_study(runs, options.stored)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "search.cli.main", "serve", "--runs", str(runs)]
        server = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
        try:
            _measure(options, port, server.pid)
        finally:
            server.terminate()
            server.wait()


def _measure(options: argparse.Namespace, port: int, pid: int) -> None:
    client = Client(f"http://127.0.0.1:{port}")
    while True:
        try:
            begun = time.perf_counter()
            client.pareto(LARGE)
            break
        except Exception:
            time.sleep(0.5)
    first_s = time.perf_counter() - begun
    print(f"first answer after {first_s:.1f} s: all trials are read once", flush=True)
    waits_ms, errors, events, ratios = [], [], 0, []
    busy_s = spent_s = 0.0
    for number in range(options.rounds):
        quiet, _ = one_round(client, f"quiet-{number}", options, port, loaded=False)
        began, used = time.perf_counter(), cpu_s(pid)
        busy, load = one_round(client, f"busy-{number}", options, port, loaded=True)
        spent_s += time.perf_counter() - began
        busy_s += cpu_s(pid) - used
        assert load is not None
        waits_ms = sorted([*waits_ms, *(1000 * wait for wait in load.waits_s)])
        errors += load.errors
        events += load.events
        ratios += [busy[index] / quiet[index] for index in busy.keys() & quiet.keys()]
        p = {share: waits_ms[int(share * (len(waits_ms) - 1))] for share in (0.5, 0.9, 0.99, 1.0)}
        print(f"after round {number + 1}:")
        print(f"  {len(waits_ms)} answers in {spent_s:.0f} s, {len(errors)} errors {errors[:3]}")
        print("  Pareto set, ms: " + ", ".join(f"p{100 * s:g} {ms:.0f}" for s, ms in p.items()))
        print(f"  {events} events; the server took {busy_s / spent_s:.0%} of a core")
        print(
            f"  {len(ratios)} pairs of trainings, busy to quiet: "
            f"median {statistics.median(ratios):.3f}, mean {statistics.fmean(ratios):.3f}, "
            f"standard error {statistics.stdev(ratios) / len(ratios) ** 0.5:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""What the driver costs a trial, and how many workers it keeps busy, as a study grows.

    python benchmarks/scale.py measure --stored 100 1000 10000
    python benchmarks/scale.py measure --storage postgresql://user@localhost/studies
    python benchmarks/scale.py busy --workers 1 4 16 64 256 --stored 1000 --seconds 5

Both run the real driver, sampler and storage; only workers are simulated. They start from a study
that has `--stored` complete trials, of random architectures and PSNRs of chance.

`measure` prints the driver's wall time a trained trial: everything but the training, from asking
the sampler to the stored result, and the share of it that is not the storage's, which the same
study in memory shows. `busy` prints the share of time that workers work when trials last
`--seconds`: while the driver asks and tells, those that are free wait.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from simulated import SimulatedPool, fill, searched

from search.attributes import INDEX
from search.config import StudyConfig, parse_config
from search.study.observer import Silent
from search.study.storage import (
    Flush,
    create_or_resume,
    directions_of,
    in_memory,
    open_storage,
    owned_study,
    quiet_optuna,
)

SQLITE = "sqlite"
DISTINCT = 10_000
"""Trials that are made one by one; a larger study repeats them."""


def study_config(
    output: str, trials: int, sampler: str, workers: int = 1, storage: str | None = None
) -> StudyConfig:
    """The whole ISP space, within 30 ms. `storage`: a URL; SQLite in the folder `output` else."""
    document: dict[str, Any] = {
        "name": f"scale-{uuid.uuid4().hex[:8]}", "output": output, "task": "isp", "trials": trials,
        "workers": workers, "finals": None, "sampler": {"name": sampler},
        "objective": {"kind": "score", "max_runtime_ms": 30},
        "storage": None if storage == SQLITE else storage,
    }  # fmt: skip
    return parse_config(document, "a simulated study")


def made(trials: int) -> list[FrozenTrial]:
    """Finished trials as the driver leaves them, those that were infeasible included."""
    config = study_config("runs", min(trials, DISTINCT), "random")
    study = optuna.create_study(directions=directions_of(config))
    searched(config, study, SimulatedPool(1, duration_s=60.0))
    return study.get_trials(deepcopy=False)


def many(trials: list[FrozenTrial], trained: int) -> list[FrozenTrial]:
    """So many of them that `trained` are complete, over and over where there are too few."""
    found: list[FrozenTrial] = []
    for number, trial in enumerate(itertools.cycle(trials)):
        if not trained:
            return found
        again = FrozenTrial.__new__(FrozenTrial)
        again.__dict__.update(trial.__dict__)
        again.number = number
        again._user_attrs = {**trial.user_attrs, INDEX: number}
        trained -= trial.state.name == "COMPLETE"
        found.append(again)
    raise AssertionError("cycles do not end")


def measure(options: argparse.Namespace) -> None:
    trials = made(max(options.stored))
    print(f"{'sampler':14} {'stored':>7} {'all trials':>10} {'ms a trial':>11} {'in memory':>10}")
    for sampler in options.samplers:
        for stored in options.stored:
            before = many(trials, stored)
            ms = [
                1000 * _seconds(sampler, before, stored, options.count, storage) / options.count
                for storage in (options.storage, None)
            ]
            print(
                f"{sampler:14} {stored:7} {len(before):10} {ms[0]:11.0f} {ms[1]:10.0f}", flush=True
            )


def _seconds(
    sampler: str, before: list[FrozenTrial], stored: int, count: int, storage: str | None
) -> float:
    """Of the driver for `count` more trained trials, without those before the first one's end:
    reading the history and pricing a pool, which a driver does once."""
    pool = _Timed(1, duration_s=60.0)
    with tempfile.TemporaryDirectory() as folder:
        config = study_config(folder, stored + count + 1, sampler, storage=storage)
        with _study(config, before, storage) as (study, flush):
            searched(config, study, pool, flush)
    return pool.driver_s


class _Timed(SimulatedPool):
    """`driver_s`: real time between the first job's end and the last one's."""

    driver_s = 0.0

    def wait(self) -> list[Any]:
        events = super().wait()
        self._first = getattr(self, "_first", time.perf_counter())
        self.driver_s = time.perf_counter() - self._first
        return events


@contextmanager
def _study(
    config: StudyConfig, before: list[FrozenTrial], storage: str | None
) -> Iterator[tuple[optuna.Study, Flush]]:
    """A study that has the trials `before`, in memory or owned as a driver owns it."""
    if storage is None:
        study = optuna.create_study(directions=directions_of(config))
        for trial in before:
            study.add_trial(trial)
        yield study, in_memory
        return
    opened = open_storage(config.storage_url, create=True)
    fill(opened, create_or_resume(config, opened), before)
    opened.engine.dispose()
    with owned_study(config, Silent()) as owned:
        yield owned


def busy(options: argparse.Namespace) -> None:
    trials = made(max(options.stored))
    print(f"{'workers':>7} {'stored':>7} {'busy':>6} {'trials an hour':>15}")
    for stored in options.stored:
        before = many(trials, stored)
        for workers in options.workers:
            share, rate = _busy(options, before, stored, workers)
            print(f"{workers:7} {stored:7} {share:6.1%} {rate:15.0f}", flush=True)


def _busy(
    options: argparse.Namespace, before: list[FrozenTrial], stored: int, workers: int
) -> tuple[float, float]:
    """The share of the workers' time in work, and trials an hour, once all have had a first."""
    count = max(options.count, 2 * workers)
    pool = _Steady(workers, options.seconds, skip=workers, count=count)
    with tempfile.TemporaryDirectory() as folder:
        trials = (
            stored + count + 2 * workers
        )  # So that nobody is idle at the end for want of trials.
        config = study_config(folder, trials, options.samplers[0], workers, options.storage)
        with _study(config, before, options.storage) as (study, flush):
            searched(config, study, pool, flush)
    return pool.busy_share, 3600 * count / pool.steady_s


class _Steady(SimulatedPool):
    """Looks at `count` ends of jobs after the first `skip`."""

    def __init__(self, workers: int, duration_s: float, *, skip: int, count: int) -> None:
        super().__init__(workers, duration_s)
        self._ended, self._first, self._last = 0, skip, skip + count
        self._began_s = self._worked_s = self.steady_s = self.busy_share = 0.0
        self._lasts_s: dict[str, float] = {}

    def wait(self) -> list[Any]:
        events = super().wait()
        self._ended += 1
        self._worked_s += events[0].seconds["total"]
        if self._ended == self._first:
            self._began_s, self._worked_s = self.now_s, 0.0
        if self._first < self._ended <= self._last:
            self.steady_s = self.now_s - self._began_s
            self.busy_share = self._worked_s / (self.steady_s * self.workers)
        return events


def main() -> None:
    quiet_optuna()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    measuring = commands.add_parser("measure")
    measuring.set_defaults(call=measure)
    working = commands.add_parser("busy")
    working.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16, 32, 64, 256])
    working.add_argument("--seconds", type=float, default=5.0)
    working.set_defaults(call=busy)
    for command in (measuring, working):
        command.add_argument("--storage", default=SQLITE, help="sqlite, or a URL")
        command.add_argument("--stored", type=int, nargs="+", default=[100, 1000, 10_000])
        command.add_argument("--samplers", nargs="+", default=["latency_aware"])
        command.add_argument("--count", type=int, default=20, help="trained trials to look at")
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()

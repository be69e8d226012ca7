"""Workers of made-up speed for the real driver, and large studies to begin with, quickly."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from search.config import StudyConfig
from search.study.driver import search
from search.study.job import AnyJob, DataSource, Event, Trained
from search.study.observer import Silent
from search.study.pool import Pool
from search.study.rows import insert_trials
from search.study.run import StudyRun
from search.study.storage import Flush, in_memory

AT_ONCE = 2_000


class SimulatedPool(Pool[float]):
    """Up to `workers` jobs at a time, each of which lasts `duration_s`, give or take a fifth.

    The clock is the driver's own, and moves on at once where the driver would only wait: so what
    the driver takes is real, and keeps workers waiting as it would. `busy_s`: seconds of work, of
    all workers, that were begun.
    """

    threads = all_threads = 1

    def __init__(self, workers: int, duration_s: float) -> None:
        super().__init__(workers)
        self.duration_s = duration_s
        self.busy_s = 0.0
        self._skipped_s = 0.0
        self._random = random.Random(0)
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Trained]] = []

    @property
    def now_s(self) -> float:
        """What the clock says."""
        return time.perf_counter() + self._skipped_s

    def start(self, job: AnyJob) -> None:
        """It will end after its duration with a PSNR of chance."""
        lasts_s = self.duration_s * self._random.uniform(0.8, 1.2)
        psnr_db = self._random.gauss(28.0, 1.0)
        outcome = Trained(
            job.key, ((1, psnr_db),), psnr_db, 0.9, None, 10_000, {"total": lasts_s, "cpu": lasts_s}
        )
        self.busy_s += lasts_s
        self._running[job.key] = self.now_s + lasts_s
        heapq.heappush(self._coming, (self.now_s + lasts_s, next(self._order), outcome))

    def wait(self) -> list[Event]:
        """What ends next, or has ended since."""
        ends_s, _, outcome = heapq.heappop(self._coming)
        self._skipped_s += max(0.0, ends_s - self.now_s)
        del self._running[outcome.key]
        return [outcome]

    def answer(self, key: str, keep_going: bool) -> None:
        """No job here waits at a rung."""


def searched(
    config: StudyConfig, study: optuna.Study, pool: SimulatedPool, flush: Flush = in_memory
) -> None:
    """Search by the real driver until `config.trials` are trained."""
    data = DataSource("sample", Path())
    context = config.sampling_context()
    search(StudyRun(config, study, config.training, data, context, pool, Silent(), flush))


def fill(storage: RDBStorage, study: optuna.Study, trials: list[FrozenTrial]) -> None:
    """Write finished trials as the driver does, many at a time."""
    with storage.engine.begin() as connection:
        for begin in range(0, len(trials), AT_ONCE):
            insert_trials(connection, study._study_id, trials[begin : begin + AT_ONCE])

"""What the benchmarks of many trainings share: a pool that is kept busy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from search.study.job import Failed, Job, Rung, Trained
from search.study.pool import LocalPool


def train_all(pool: LocalPool, jobs: Iterable[Job]) -> Iterator[tuple[Job, Trained | Failed]]:
    """Each job with its outcome, as they end; at rungs every one goes on."""
    running: dict[str, Job] = {}
    for job in jobs:
        running[job.key] = job
        pool.start(job)
        while not pool.free:
            yield from _ended(pool, running)
    while pool.busy:
        yield from _ended(pool, running)


def _ended(pool: LocalPool, running: dict[str, Job]) -> Iterator[tuple[Job, Trained | Failed]]:
    for event in pool.wait():
        if isinstance(event, Rung):
            pool.answer(event.key, keep_going=True)
        else:
            yield running.pop(event.key), event

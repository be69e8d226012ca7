"""`RetryingPool`: a job whose worker died is started again, a bounded number of times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .job import AnyJob, Event, Failed, Retried, Rung
from .observer import Observer
from .pool import Pool


def warn_of(event: Retried, observer: Observer) -> None:
    """Say that a job was started again, and why."""
    observer.warn(f"{event.key}: {event.reason}; it was started again")


class RetryingPool(Pool[AnyJob]):
    """The workers of another pool, whose deaths cost a job no more than what follows its last
    checkpoint.

    A job that fails by itself is not started again: it would fail alike.
    """

    def __init__(self, pool: Pool[Any]) -> None:
        super().__init__(pool.workers)
        self.threads, self.all_threads = pool.threads, pool.all_threads
        self._pool = pool

    @property
    def free(self) -> int:
        """See `Pool.free`."""
        return self._pool.free

    @property
    def busy(self) -> bool:
        """See `Pool.busy`."""
        return self._pool.busy

    def start(self, job: AnyJob) -> None:
        """See `Pool.start`."""
        self._pool.start(job)
        self._running[job.key] = job

    def wait(self) -> list[Event]:
        """See `Pool.wait`; a job that was started again says `Retried`."""
        return [self._passed_on(event) for event in self._pool.wait()]

    def answer(self, key: str, keep_going: bool) -> None:
        """See `Pool.answer`."""
        self._pool.answer(key, keep_going)

    def _passed_on(self, event: Event) -> Event:
        if isinstance(event, Rung):
            return event
        job = self._running.pop(event.key)
        if not (isinstance(event, Failed) and event.died):
            return event
        deaths = job.deaths + 1
        if deaths > job.limits.retries:
            times = "" if deaths == 1 else f" ({deaths} times)"
            return replace(event, reason=event.reason + times)
        self.start(replace(job, deaths=deaths))
        return Retried(event.key, event.reason, deaths)

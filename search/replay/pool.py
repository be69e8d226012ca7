"""`ReplayPool`: workers that take their results, and the time they took, from a table."""

from __future__ import annotations

import heapq
import itertools

from search.errors import UserError
from search.study.job import Event, Job, Rung, Trained

from .table import Run, TrainedTable


class ReplayPool:
    """Up to `workers` jobs at a time on a simulated clock: `clock_s` seconds since it began.

    What happens at the same moment happens in the order in which it was started.
    """

    threads = all_threads = 1

    def __init__(self, table: TrainedTable, workers: int) -> None:
        self.clock_s = 0.0
        self.workers = workers
        self._table = table
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Event]] = []
        self._running: dict[str, tuple[Job, Run, float]] = {}
        self._at: dict[str, int] = {}

    @property
    def free(self) -> int:
        """How many more jobs fit."""
        return self.workers - len(self._running)

    @property
    def busy(self) -> bool:
        """Whether any job is running."""
        return bool(self._running)

    def start(self, job: Job) -> None:
        """Start `job` now. UserError for what the table does not hold."""
        run = self._table.run(job.architecture, job.recipe.steps, job.seed)
        unknown = set(job.rungs) - {step for step, _ in run.curve}
        if unknown:
            raise UserError(f"the table has no PSNR at step {min(unknown)}")
        self._running[job.key] = job, run, self.clock_s
        self._schedule(job.key, after=0)

    def wait(self) -> list[Event]:
        """What happens next; the clock moves there."""
        self.clock_s, _, event = heapq.heappop(self._coming)
        if isinstance(event, Rung):
            self._at[event.key] = event.step
        else:
            del self._running[event.key]
        return [event]

    def answer(self, key: str, keep_going: bool) -> None:
        """Tell the job that waits at a rung whether to go on."""
        job, run, _ = self._running[key]
        step = self._at.pop(key)
        if keep_going:
            self._schedule(key, after=step)
        else:
            self._push(self.clock_s, self._ended(job, run, pruned_at=step))

    def _schedule(self, key: str, after: int) -> None:
        """The first thing that happens to a job beyond step `after`."""
        job, run, began_s = self._running[key]
        rungs = [step for step in job.rungs if step > after]
        if rungs:
            event: Event = Rung(key, rungs[0], dict(run.curve)[rungs[0]])
            share = rungs[0] / job.recipe.steps
        else:
            event, share = self._ended(job, run, pruned_at=None), 1.0
        self._push(began_s + share * run.seconds, event)

    def _ended(self, job: Job, run: Run, pruned_at: int | None) -> Trained:
        share = 1.0 if pruned_at is None else pruned_at / job.recipe.steps
        shown = (*job.rungs, job.recipe.steps) if pruned_at is None else job.rungs
        seen = [step for step in shown if pruned_at is None or step <= pruned_at]
        curve = dict(run.curve)
        return Trained(
            key=job.key,
            curve=tuple((step, curve[step]) for step in seen),
            psnr_db=run.psnr_db if pruned_at is None else None,
            ssim=run.ssim if pruned_at is None else None,
            pruned_at=pruned_at,
            parameters=self._table.parameters(job.architecture),
            seconds={"total": share * run.seconds},
        )

    def _push(self, time_s: float, event: Event) -> None:
        heapq.heappush(self._coming, (time_s, next(self._order), event))

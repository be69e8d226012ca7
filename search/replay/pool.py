"""`ReplayPool`: workers that take their results, and the time they took, from a table."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from search.errors import UserError
from search.study.job import AnyJob, Event, Job, Probed, Rung, Trained
from search.study.pool import Pool

from .probes import Probes
from .table import Run, TrainedTable


@dataclass
class _Replaying:
    """A job that began at `began_s` of the clock and has passed or reached the rung `step`, -1
    for none."""

    job: Job
    run: Run
    began_s: float
    step: int = -1


class ReplayPool(Pool[_Replaying]):
    """Up to `workers` jobs at a time on a simulated clock: `clock_s` seconds since it began.

    What happens at the same moment happens in the order in which it was started.
    """

    threads = all_threads = 1

    def __init__(
        self, table: TrainedTable, workers: int, probes: Mapping[tuple[str, int], Probes]
    ) -> None:
        super().__init__(workers)
        self.clock_s = 0.0
        self._table = table
        self._probes = probes
        self._order = itertools.count()
        self._coming: list[tuple[float, int, Event]] = []

    def start(self, job: AnyJob) -> None:
        """Start `job` now. UserError for what the table does not hold."""
        if not isinstance(job, Job) or job.donor is not None:
            raise UserError("the table's networks did not start from others' weights")
        run = self._table.run(job.architecture, job.recipe.steps, job.seed)
        unknown = set(job.rungs) - {step for step, _ in run.curve}
        if unknown:
            raise UserError(f"the table has no PSNR at step {min(unknown)}")
        self._running[job.key] = _Replaying(job, run, self.clock_s)
        if job.proxies:
            self._schedule_probe(job)
            return
        self._schedule_next(self._running[job.key])

    def wait(self) -> list[Event]:
        """What happens next; the clock moves there."""
        self.clock_s, _, event = heapq.heappop(self._coming)
        if isinstance(event, Rung):
            self._running[event.key].step = event.step
        else:
            del self._running[event.key]
        return [event]

    def answer(self, key: str, keep_going: bool) -> None:
        """Tell the job that waits at a rung whether to go on."""
        replaying = self._running[key]
        if keep_going:
            self._schedule_next(replaying)
        else:
            self._push(self.clock_s, self._ended(replaying, replaying.step))

    def _schedule_probe(self, job: Job) -> None:
        probes = self._probes.get((job.architecture.digest, self._table.seed(job.seed)))
        missing = [name for name in job.proxies if probes is None or name not in probes.values]
        if probes is None or missing:
            raise UserError(f"the table has no {missing[0]} of {job.architecture.digest}")
        seconds = sum(probes.seconds[name] for name in job.proxies)
        values = {name: probes.values[name] for name in job.proxies}
        self._push(self.clock_s + seconds, Probed(job.key, values, {"total": seconds}))

    def _schedule_next(self, replaying: _Replaying) -> None:
        """The first thing that happens to a job beyond where it stands."""
        job, run = replaying.job, replaying.run
        rungs = [step for step in job.rungs if step > replaying.step]
        if rungs:
            step = rungs[0]
            event: Event = Rung(job.key, step, dict(run.curve)[step])
        else:
            step = job.recipe.steps
            event = self._ended(replaying, step)
        self._push(replaying.began_s + run.seconds_at(step), event)

    def _ended(self, replaying: _Replaying, step: int) -> Trained:
        """At its last step, or pruned before."""
        job, run = replaying.job, replaying.run
        pruned, curve = step < job.recipe.steps, dict(run.curve)
        return Trained(
            key=job.key,
            curve=tuple((s, curve[s]) for s in (*job.rungs, job.recipe.steps) if s <= step),
            psnr_db=None if pruned else run.psnr_db,
            ssim=None if pruned else run.ssim,
            pruned_at=step if pruned else None,
            parameters=self._table.parameters(job.architecture),
            seconds={"total": run.seconds_at(step)},
        )

    def _push(self, time_s: float, event: Event) -> None:
        heapq.heappush(self._coming, (time_s, next(self._order), event))

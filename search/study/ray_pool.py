"""`RayPool`: a study's jobs on the machines of a Ray cluster, each on a `Host` that is an actor.

The driver stays the only owner of the study: hosts see neither its storage nor its folders. A host
declares CPUs, GPUs and memory, is asked for when a job finds none, and given back when it is idle.
Importing this module does not import Ray.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from search.artifacts import write_bytes
from search.config import RunnerConfig, StudyConfig
from search.errors import UserError
from search.training.checkpoint import CHECKPOINT

from .data import sample_maker
from .host import Host, Outcome
from .job import AnyJob, Event, Failed, Rung
from .pool import Pool
from .ray_session import start_session
from .shipping import Changes, Input, absolute, checkpoint_of, digest_of, files_kept, files_read
from .versions import versions_here

IDLE_SECONDS = 60.0
"""After which a host without work is given back, so that a cluster may become smaller."""
LOOK_SECONDS = 5.0
"""Between two looks at which hosts are idle, while no job has anything to say."""
START_ATTEMPTS = 5
"""Hosts in a row that may die before they are up."""
CONTENTS_KEPT = 16
"""Files in the cluster's object store besides those of running jobs."""


@dataclass(eq=False)
class _RayHost:
    """An actor. `call`: what it is at; none while idle, since `idle_since`. `job`: none while it
    comes up."""

    actor: Any
    call: Any = None
    job: AnyJob | None = None
    idle_since: float = field(default_factory=time.monotonic)

    @property
    def coming(self) -> bool:
        """Whether it waits for a place on a machine, or starts there."""
        return self.call is not None and self.job is None


@dataclass(eq=False)
class _Placed:
    """`host`: none while the job waits for one."""

    job: AnyJob
    host: _RayHost | None = None


class RayPool(Pool[_Placed]):
    """Runs up to `workers` jobs at a time on a Ray cluster, or on this machine by a Ray of its own.

    A context manager: leaving it ends every worker. `warn` is told what the user should know.
    Entering raises UserError where Ray is missing or the cluster cannot be reached.
    """

    def __init__(self, config: StudyConfig, warn: Callable[[str], None]) -> None:
        super().__init__(config.workers)
        self._runner, self._warn = config.runner, warn
        self.threads = self.all_threads = config.runner.cpus
        sample = config.data.dataset == "sample"
        self._host_arguments = (sample_maker(config) if sample else None, versions_here())
        self._hosts: list[_RayHost] = []
        self._queue: deque[_Placed] = deque()
        self._failed_starts = 0

    def __enter__(self) -> RayPool:
        self._ray = start_session(self._runner.address)
        try:
            self._check_room()
        except BaseException:
            self._ray.shutdown()
            raise
        self._shelf = _Shelf(self._ray.put)
        self._host_class = self._ray.remote(Host).options(**_declared(self._runner))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._ray.shutdown()

    def start(self, job: AnyJob) -> None:
        """Start `job` on an idle host, or on the next one that comes up or becomes idle."""
        placed = _Placed(job)
        self._running[job.key] = placed
        self._queue.append(placed)
        self._dispatch()

    def wait(self) -> list[Event]:
        """Block until a running job has something to say; its files are here by then.

        Raises UserError where a machine or its data prevented one, or no host can be started.
        """
        while True:
            calls = {host.call: host for host in self._hosts if host.call is not None}
            ready, _ = self._ray.wait(list(calls), timeout=LOOK_SECONDS)
            events = [event for call in ready if (event := self._returned(calls[call]))]
            self._dispatch()
            self._release_idle()
            if events:
                return events

    def answer(self, key: str, keep_going: bool) -> None:
        """Tell the job that waits at a rung whether to go on."""
        host = self._running[key].host
        assert host is not None
        # Where it died meanwhile, the next `wait` says so.
        host.call = host.actor.answer.remote(key, keep_going)

    def stop(self) -> None:
        """Kill every host: what they had not reported is lost, and nothing else."""
        for host in list(self._hosts):
            self._kill(host)
        self._queue.clear()
        self._running.clear()

    # -- hosts ----------------------------------------------------------------

    def _dispatch(self) -> None:
        """Give the waiting jobs to idle hosts, and ask for as many more as are still wanted."""
        for host in self._hosts:
            if self._queue and host.call is None and host.job is None:
                self._give(host, self._queue.popleft())
        coming = sum(host.coming for host in self._hosts)
        for _ in range(len(self._queue) - coming):
            self._hosts.append(self._new_host())

    def _new_host(self) -> _RayHost:
        actor = self._host_class.remote(*self._host_arguments)
        return _RayHost(actor, actor.set_up.remote(with_gpu=self._runner.gpus > 0))

    def _give(self, host: _RayHost, placed: _Placed) -> None:
        job = absolute(placed.job)
        inputs, contents = self._shelf.inputs(job)
        host.job, placed.host = job, host
        host.call = host.actor.run.remote(job, inputs, *contents)

    def _release_idle(self) -> None:
        """Those that work has not needed for a while, and those that it no longer waits for."""
        now = time.monotonic()
        for host in list(self._hosts):
            needless = host.job is None and not self._queue
            if not needless:
                host.idle_since = now
            elif now - host.idle_since > IDLE_SECONDS:
                self._kill(host)

    def _kill(self, host: _RayHost) -> None:
        self._hosts.remove(host)
        self._ray.kill(host.actor)

    # -- what comes back ------------------------------------------------------

    def _returned(self, host: _RayHost) -> Event | None:
        """The event of a call that has ended, if it was about a job."""
        call, host.call = host.call, None
        try:
            outcome: Outcome | None = self._ray.get(call)
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError as error:
            return self._died(host, error)
        if host.job is None:
            self._failed_starts = 0
            return None
        assert outcome is not None
        write_changes(host.job, outcome.changes)
        if outcome.refusal is not None:
            raise UserError(outcome.refusal)
        event = outcome.event
        if not isinstance(event, Rung):
            del self._running[host.job.key]
            host.job = None
        return event

    def _died(self, host: _RayHost, error: Exception) -> Event | None:
        """Its job is lost with it; one that was not up yet is replaced, if not for ever."""
        self._kill(host)
        reason = _reason(error)
        if host.job is not None:
            del self._running[host.job.key]
            return Failed(host.job.key, f"its Ray worker died: {reason}", died=True)
        self._failed_starts += 1
        if self._failed_starts >= START_ATTEMPTS or getattr(error, "actor_init_failed", False):
            raise UserError(f"no Ray worker can be started: {reason}")
        return None

    def _check_room(self) -> None:
        """Say at once what would wait for ever, or for a machine that may never join."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = sum(_room(machine, self._runner) for machine in machines)
        alone = self._runner.address is None
        if alone and not room:
            raise UserError("this machine has less than what runner declares for one worker")
        if alone and room < self.workers:
            self._warn(f"this machine has room for {room} of {self.workers} workers")
        elif not room:
            self._warn("no machine has what runner declares for one worker: waiting for one")


class _Shelf:
    """Files in the object store, each content once: a machine fetches it once, too."""

    def __init__(self, put: Callable[[np.ndarray], Any]) -> None:
        self._put = put
        self._refs: OrderedDict[str, Any] = OrderedDict()

    def inputs(self, job: AnyJob) -> tuple[list[Input], list[Any]]:
        """What `job` reads and goes on from, and references to the contents, uint8."""
        named = [(path, path) for path in files_read(job)]
        kept = [(Path(name), path) for name, path in files_kept(job).items()]
        inputs, contents = [], []
        for name, path in named + kept:
            content = path.read_bytes()
            file = Input(name, digest_of(content))
            inputs.append(file)
            contents.append(self._reference(file.sha256, content))
        return inputs, contents

    def _reference(self, sha256: str, content: bytes) -> Any:
        if sha256 not in self._refs:
            self._refs[sha256] = self._put(np.frombuffer(content, np.uint8))
        self._refs.move_to_end(sha256)
        while len(self._refs) > CONTENTS_KEPT:
            self._refs.popitem(last=False)  # A job that still wants it has a reference of its own.
        return self._refs[sha256]


def write_changes(job: AnyJob, changes: Changes) -> None:
    """Do to a job's folder here what the job did to the one elsewhere, each file whole."""
    kept_elsewhere = {CHECKPOINT: checkpoint_of(job)}
    for name, content in changes.written.items():
        write_bytes(kept_elsewhere.get(name) or job.directory / name, content)
    for name in changes.removed:
        (job.directory / name).unlink(missing_ok=True)


def _declared(runner: RunnerConfig) -> dict[str, Any]:
    """What a host takes of its machine, as options of an actor."""
    declared: dict[str, Any] = {"num_cpus": runner.cpus, "num_gpus": runner.gpus}
    if runner.memory_gb is not None:
        declared["memory"] = int(runner.memory_gb * 1e9)
    return declared


def _room(machine: dict[str, float], runner: RunnerConfig) -> int:
    """How many hosts fit on an empty machine with these resources."""
    wanted = {"CPU": runner.cpus, "GPU": runner.gpus, "memory": (runner.memory_gb or 0) * 1e9}
    return int(min(machine.get(name, 0) / much for name, much in wanted.items() if much))


def _reason(error: Exception) -> str:
    """The line of Ray's explanation that says it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:300]

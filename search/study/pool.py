"""Worker processes on this machine: a fresh one a job, forked from a preloaded server."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from search.errors import UserError

from .job import AnyJob, Event, Failed, Prevented, Rung

PRELOAD = "search.study.preload"
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
WATCHED_EVERY_S = 0.1
"""A worker at work can touch some hundred MB of fresh memory meanwhile."""


@dataclass
class _Running:
    """`worked_s`: time that it had, but for what it waited for the driver; counted where it has
    limits. `asked`: whether it waits. `over`: the limit it was ended for."""

    job: AnyJob
    process: BaseProcess
    pipe: Connection
    worked_s: float = 0.0
    asked: bool = False
    over: str | None = None


Running = TypeVar("Running")


class Pool(ABC, Generic[Running]):
    """Trains the jobs of a study, up to `workers` at a time.

    `threads`: cores for each of them; `all_threads`: for one that runs alone.
    """

    threads: int
    all_threads: int

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._running: dict[str, Running] = {}

    @property
    def free(self) -> int:
        """How many more jobs fit."""
        return self.workers - len(self._running)

    @property
    def busy(self) -> bool:
        """Whether any job is running."""
        return bool(self._running)

    @abstractmethod
    def start(self, job: AnyJob) -> None:
        """Start `job`."""

    @abstractmethod
    def wait(self) -> list[Event]:
        """Block until at least one running job has something to say."""

    @abstractmethod
    def answer(self, key: str, keep_going: bool) -> None:
        """Tell the job that waits at a rung whether to go on."""


class LocalPool(Pool[_Running]):
    """Runs up to `workers` jobs at a time, each in a process of its own.

    A worker over a limit of its job is killed. A context manager: leaving it ends every worker.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._left = threading.Event()
        self._watch: threading.Thread | None = None
        self.all_threads = os.cpu_count() or 1
        self.threads = max(1, self.all_threads // workers)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([PRELOAD])

    def __enter__(self) -> LocalPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, job: AnyJob) -> None:
        """Start `job` in a fresh process."""
        with ending_signals_blocked():
            forkserver.ensure_running()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_child, args=(job, theirs), daemon=True)
        process.start()
        theirs.close()
        self._running[job.key] = _Running(job, process, ours)
        if job.limits.watched and self._watch is None:
            # A thread: the driver may be busy with a surrogate or wait for its storage.
            self._watch = threading.Thread(target=self._keep_watch, daemon=True)
            self._watch.start()

    def wait(self) -> list[Event]:
        """Block until at least one running job has something to say.

        Raises UserError where the machine or the data prevented one.
        """
        by_pipe = {running.pipe: running for running in self._running.values()}
        ready = connection.wait(list(by_pipe))
        return [self._receive(by_pipe[pipe]) for pipe in ready]  # type: ignore[index]

    def answer(self, key: str, keep_going: bool) -> None:
        """Tell the job that waits at a rung whether to go on."""
        running = self._running[key]
        running.asked = False
        # Where it died meanwhile, the next `wait` says so.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            running.pipe.send(keep_going)

    def stop(self) -> None:
        """Kill every worker: what they had not reported is lost, and nothing else."""
        self._left.set()
        for running in self._running.values():
            running.process.kill()
        for running in self._running.values():
            running.process.join()
            running.pipe.close()
        self._running.clear()

    def _receive(self, running: _Running) -> Event:
        event: Event | Prevented
        try:
            event = running.pipe.recv()
        except (EOFError, OSError):  # OSError where it died in the middle of a message.
            running.process.join()
            event = self._ended(running)
        running.asked = isinstance(event, Rung)
        if not running.asked:
            running.process.join()
            running.pipe.close()
            del self._running[running.job.key]
        if isinstance(event, Prevented):
            raise cannot_go_on(event.reason)
        return event

    def _ended(self, running: _Running) -> Failed:
        """What came of a job whose worker is gone without a word."""
        if running.over is not None:
            return Failed(running.job.key, running.over)
        return Failed(running.job.key, _death(running.process.exitcode), died=True)

    def _keep_watch(self) -> None:
        looked_s = time.monotonic()  # A clock that nobody sets.
        while not self._left.wait(WATCHED_EVERY_S):
            passed_s, looked_s = time.monotonic() - looked_s, time.monotonic()
            for running in list(self._running.values()):
                if running.over is None and not _has_ended(running.process):
                    if not _waits_for_driver(running):
                        running.worked_s += passed_s
                    self._end_if_over(running)

    @staticmethod
    def _end_if_over(running: _Running) -> None:
        pid = running.process.pid
        assert pid is not None
        running.over = running.job.limits.exceeded(pid, running.worked_s)
        if running.over is not None:
            running.process.kill()


def _waits_for_driver(running: _Running) -> bool:
    """Whether it has said something that the driver, which may wait for its database, has not read
    or not answered."""
    try:
        return running.asked or running.pipe.poll()
    except (OSError, EOFError):  # Closed meanwhile: it has ended.
        return True


def cannot_go_on(reason: str) -> UserError:
    """The error that ends a study for something on the machine, not for a candidate."""
    return UserError(f"the study cannot go on: {reason} (mend that and run it again)")


@contextlib.contextmanager
def ending_signals_blocked() -> Iterator[None]:
    """For what is started meanwhile: how a study ends is the driver's decision alone.

    A terminal sends Ctrl-C, and a service manager SIGTERM, to the workers and their server too.
    """
    resource_tracker.ensure_running()  # It would unblock them again.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_ended(process: BaseProcess) -> bool:
    """Whether its number may be another process's by now; the exit code is left to `join`."""
    return bool(connection.wait([process.sentinel], timeout=0))


def _child(job: AnyJob, pipe: Connection) -> None:
    # Imported here, so that the driver can name this function without TensorFlow.
    from .worker import main

    main(job, pipe)


def _death(exitcode: int | None) -> str:
    if exitcode == -9:
        return "the worker was killed (signal 9), most often for want of memory"
    if exitcode is not None and exitcode < 0:
        return f"the worker died of signal {-exitcode}"
    return f"the worker ended without a result (exit code {exitcode})"

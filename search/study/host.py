"""`Host`: a process somewhere on a cluster that runs jobs, one at a time, for a distant driver.

Plain Python: whatever calls it from afar is another module's business. A job runs by a `LocalPool`,
so in a fresh process of a preloaded server, exactly as it does beside its driver.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from search.artifacts import write_bytes
from search.errors import UserError
from search.training.checkpoint import CHECKPOINT

from .job import AnyJob, DataSource, Event
from .pool import LocalPool, cannot_go_on
from .shipping import Changes, DirectoryWatch, Input, checkpoint_of, relocated
from .versions import versions_here

SampleMaker = Callable[[Path], Path]
"""Prepares a study's sample data under a folder, at once where they are there already."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call: `event`, or `refusal`, the reason why the study cannot go on at all.

    `changes` of the job's directory up to then.
    """

    event: Event | None
    changes: Changes = field(default_factory=Changes)
    refusal: str | None = None


class Host:
    """Runs one job at a time: `run`, then `answer` until it has ended.

    `make_sample`: None for a real data set, which must lie here where the driver has it.
    `versions`: the driver's. `cache`: default the user's own.
    """

    def __init__(
        self,
        make_sample: SampleMaker | None,
        versions: dict[str, str],
        cache: Path | None = None,
    ) -> None:
        self._make_sample = make_sample
        self._versions = versions
        self._cache = cache or user_cache()
        self._pool = LocalPool(1)
        self._scratch: Path | None = None
        self._watch: DirectoryWatch | None = None

    def set_up(self, *, with_gpu: bool) -> None:
        """Called first, in a process that has no other task than this host.

        Without a GPU of its own it hides those of the machine, which are others'.
        """
        if not with_gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        # Else each job's process imports this one's script, and with it the cluster's software.
        vars(sys.modules["__main__"]).pop("__file__", None)

    def run(self, job: AnyJob, inputs: Sequence[Input], *contents: np.ndarray) -> Outcome:
        """Start `job`; what it first has to say. `contents`, uint8, are those of `inputs`."""
        try:
            check_versions(self._versions)
            self._pool.start(self._placed(job, inputs, contents))
        except UserError as error:
            return Outcome(None, refusal=_here(error))
        except OSError as error:
            where = error.filename or self._cache
            return Outcome(None, refusal=_here(cannot_go_on(f"{error.strerror}: {where}")))
        return self._next()

    def answer(self, key: str, keep_going: bool) -> Outcome:
        """Tell the job whether to go on; what it has to say next."""
        self._pool.answer(key, keep_going)
        return self._next()

    def stop(self) -> None:
        """End the job and remove what it left here."""
        self._pool.stop()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _next(self) -> Outcome:
        assert self._watch is not None
        try:
            events: list[Event] = []
            while not events:
                events = self._pool.wait()
        except UserError as error:
            return Outcome(None, self._watch.changes(), _here(error))
        [event] = events
        return Outcome(event, self._watch.changes())

    def _placed(
        self, job: AnyJob, inputs: Sequence[Input], contents: Sequence[np.ndarray]
    ) -> AnyJob:
        """The job with everything it needs in folders of this machine."""
        if self._scratch is None:
            self._scratch = own_folder(self._cache / "hosts")
        directory = self._scratch / "job"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        moved = {}
        for file, content in zip(inputs, contents, strict=True):
            if file.path.is_absolute():
                moved[file.path] = self._kept(file, content)
            else:
                write_bytes(directory / file.path, content.tobytes())
        self._drop_all_but(moved)
        self._watch = DirectoryWatch(directory)
        checkpoint = checkpoint_of(job) and directory / CHECKPOINT
        return relocated(job, directory, self._data(job.data), moved, checkpoint)

    def _kept(self, file: Input, content: np.ndarray) -> Path:
        """Under its digest: most jobs of a study read the same files as the one before."""
        assert self._scratch is not None
        path = self._scratch / "inputs" / file.sha256
        if not path.exists():
            write_bytes(path, content.tobytes())
        return path

    def _drop_all_but(self, moved: dict[Path, Path]) -> None:
        assert self._scratch is not None
        for path in (self._scratch / "inputs").glob("*"):
            if path not in moved.values():
                path.unlink()

    def _data(self, data: DataSource) -> Path:
        """Where the data set lies on this machine. Raises UserError where it does not."""
        if data.root.is_dir():
            return data.root
        if data.dataset != "sample" or self._make_sample is None:
            raise cannot_go_on(
                f"there is no {data.root} with the {data.dataset} data, which must lie at the same "
                "path on every machine"
            )
        with locked(self._cache / "data.lock"):
            root = self._make_sample(self._cache / "data")
        if root.name != data.root.name:
            raise cannot_go_on("LensNAS makes other sample data here than the driver's")
        return root


def check_versions(wanted: dict[str, str]) -> None:
    """Raises UserError where this machine's differ from the driver's: results would not compare."""
    here = versions_here()
    differing = [f"{name} {here[name]} instead of {wanted[name]}" for name in wanted
                 if here[name] != wanted[name]]  # fmt: skip
    if differing:
        raise cannot_go_on(f"this machine has {', '.join(differing)}")


def user_cache() -> Path:
    """The user's folder for what can be made again: `lensnas` in XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lensnas"


def own_folder(parent: Path) -> Path:
    """A new folder under `parent` for as long as this process lives.

    Folders of processes that were killed are removed on the way.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with locked(parent / ".lock"):
        for other in parent.glob("host-*"):
            with (other / ".alive").open("a") as file:
                if _try_lock(file.fileno()):
                    shutil.rmtree(other, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix="host-"))
        # Held until this process ends, however it ends; its children do not inherit it.
        _try_lock(os.open(folder / ".alive", os.O_RDWR | os.O_CREAT, 0o600))
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for this machine's other processes to be out of the same block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _here(error: UserError) -> str:
    return f"on {platform.node()}: {error}"

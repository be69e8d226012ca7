"""Runs submitted studies, a few at a time, each as a `lensnas run` of its own.

The supervisor remembers nothing that it could not read back: what is wanted stands in the studies'
folders, who is at work in their locks. So a server that was killed and started again finds its
studies where they are, those that went on without it included.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import yaml

from search.artifacts import write_bytes
from search.config import StudyConfig
from search.errors import UserError
from search.live.studies import LiveStudies, StorageAwayError
from search.live.submission import (
    INTERRUPTED,
    LOG,
    STUDY_FILE,
    Submission,
    read_submission,
    write_submission,
)
from search.study.database import own_url
from search.study.ownership import driver_lock, driver_lock_file, holder_of, pid_here
from search.study.storage import document_of, open_storage, require_same, url_of

from .problems import ConflictError
from .processes import interrupt, last_words, start_run
from .settings import Settings

LOOK_EVERY_S = 0.25
DELETED = ".deleted-"
ENDS_IN_S = 10
"""A process whose study is stored and free."""


class Supervisor:
    """Starts what is queued, and notes how it ended. Use it as a context manager.

    Leaving it leaves running studies alone.
    """

    def __init__(self, settings: Settings, studies: LiveStudies) -> None:
        self._settings, self._studies = settings, studies
        self._lock = threading.RLock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._said: dict[str, str] = {}  # The last warning, by what it is about.
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def __enter__(self) -> Supervisor:
        for left in self._settings.runs.glob(f"{DELETED}*"):  # By a server that was killed.
            shutil.rmtree(left, ignore_errors=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    # -- what clients ask for -------------------------------------------------

    def submit(self, config: StudyConfig) -> None:
        """Queue a study, or one that was run before to go on by its new file.

        Raises ConflictError where it is at work, or was begun with other settings.
        """
        with self._lock:
            directory = self._settings.runs / config.name
            if directory.exists():
                self._require_rest(config.name)
                self._require_same(config)
            _write_file(directory, config)
            write_submission(directory, Submission(queued_s=time.time()))

    def stop(self, name: str) -> None:
        """What Ctrl-C does in a terminal: it can go on from there.

        Raises ConflictError where it does not run, or not on this machine.
        """
        with self._lock:
            directory, submission = self._known(name)
            wanted = submission is not None and submission.wanted
            driver = self._driver_here(name)
            pid = self._child(name) or pid_here(driver or "")
            if pid is None and (driver is not None or not wanted):
                pid = self._driver_elsewhere(name)
            if submission is not None:
                write_submission(
                    directory, replace(submission, wanted=False, exit_code=INTERRUPTED)
                )
            if pid is not None:
                interrupt(pid)

    def resume(self, name: str) -> None:
        """Queue it again. Raises ConflictError where it is at work already."""
        with self._lock:
            directory, _ = self._known(name)
            self._require_rest(name)
            if not (directory / STUDY_FILE).exists():
                config = self._studies.results(name).results.config
                output = self._settings.runs.resolve()
                _write_file(directory, config.model_copy(update={"output": output}))
            write_submission(directory, Submission(queued_s=time.time()))

    def delete(self, name: str) -> None:
        """Everything of it, for ever. Raises ConflictError while it runs."""
        with self._lock:
            directory, _ = self._known(name)
            if self._studies.holder(name) is not None or self._child(name) is not None:
                raise ConflictError(f"study {name!r} runs: stop it first")
            if directory.is_symlink():
                raise ConflictError(f"the folder of study {name!r} lies elsewhere: delete it there")
            with driver_lock(directory):
                url = url_of(directory)
                if url is not None and url != own_url(directory):
                    _delete_stored(url, name)
                # Gone at once: names with a dot in front are no studies.
                gone = directory.with_name(f"{DELETED}{name}-{time.time_ns()}")
                directory.rename(gone)
            self._studies.forget(name)
        shutil.rmtree(gone, ignore_errors=True)

    def _known(self, name: str) -> tuple[Path, Submission | None]:
        """Raises UnknownStudyError."""
        directory = self._studies.directory(name)
        submission = read_submission(directory)
        if submission is None:
            self._studies.results(name)
        return directory, submission

    def _child(self, name: str) -> int | None:
        """The process of ours that runs the study, also before it has its lock. One that was
        stopped or is done, and has let go of its study, only ends, which is waited for."""
        child = self._children.get(name)
        if child is None:
            return None
        if self._driver_here(name) is None and not self._goes_on(name):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(ENDS_IN_S)
        return child.pid if child.poll() is None else None

    def _goes_on(self, name: str) -> bool:
        submission = read_submission(self._settings.runs / name)
        if submission is None or not submission.wanted:
            return submission is None
        try:
            return not self._studies.has_finished(name)
        except UserError:
            return True

    def _require_rest(self, name: str) -> None:
        submission = read_submission(self._settings.runs / name)
        if submission is not None and submission.wanted:
            raise ConflictError(f"study {name!r} is queued or runs already")
        if self._studies.holder(name) is not None or self._child(name) is not None:
            raise ConflictError(f"study {name!r} runs already")

    def _require_same(self, config: StudyConfig) -> None:
        if config.name not in self._studies.names():
            return
        live = self._studies.results(config.name)
        if not live.results.trials:
            return  # Nothing was found with the old settings.
        try:
            require_same(live.results.config, config)
        except UserError as error:
            raise ConflictError(str(error)) from None

    # -- what happens by itself -----------------------------------------------

    def _supervise(self) -> None:
        while not self._ends.wait(LOOK_EVERY_S):
            with self._going_on("the queue"):
                self._look()

    def _look(self) -> None:
        with self._lock:
            for name, child in list(self._children.items()):
                if child.poll() is not None:
                    del self._children[name]
                    with self._going_on(f"study {name}"):
                        self._ended(name, child.returncode)
        # Not under the lock: a database may let us wait, and nobody else shall.
        wanted = {
            name: submission.queued_s
            for name in self._studies.names()
            if (submission := read_submission(self._settings.runs / name)) and submission.wanted
        }
        at_work = {name for name in wanted if self._is_here(name)}
        places = self._settings.at_a_time - len(at_work)
        for name in sorted(wanted.keys() - at_work, key=lambda name: (wanted[name], name)):
            if places <= 0 or self._ends.is_set():
                return
            with self._going_on(f"study {name}"):
                places -= self._begin(name)

    @contextlib.contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """What goes wrong with one study, as on a full disk, is said once and keeps no other from
        its turn: nothing is lost by looking again."""
        try:
            yield
        except Exception as error:
            said = f"warning: {what}: {' '.join(str(error).split()) or repr(error)}"
            if self._said.get(what) != said:
                print(said, file=sys.stderr)
            self._said[what] = said
        else:
            self._said.pop(what, None)

    def _begin(self, name: str) -> bool:
        """Start a study unless there is no need to; whether it was started.

        Raises StorageAwayError: it waits as its driver would.
        """
        if self._studies.holder(name) is not None:
            return False  # On another machine.
        finished = self._has_finished(name)
        with self._lock:
            submission = read_submission(self._settings.runs / name)
            if submission is None or not submission.wanted or self._is_here(name):
                return False  # Stopped or deleted meanwhile.
            if finished:  # While no server was there.
                self._note(name, 0, None)
                return False
            self._start(name)
            return True

    def _is_here(self, name: str) -> bool:
        return name in self._children or self._driver_here(name) is not None

    def _driver_here(self, name: str) -> str | None:
        """Who drives the study in its own folder; no database is asked."""
        return holder_of(driver_lock_file(self._settings.runs / name))

    def _driver_elsewhere(self, name: str) -> int:
        """The process on this machine that drives it from another folder. Raises ConflictError
        where there is none."""
        holder = self._studies.holder(name)
        if holder is None:
            raise ConflictError(f"study {name!r} does not run")
        pid = pid_here(holder)
        if pid is None:
            raise ConflictError(f"study {name!r} is run on another machine: {holder}")
        return pid

    def _has_finished(self, name: str) -> bool:
        try:
            return self._studies.has_finished(name)
        except StorageAwayError:
            raise
        except UserError:
            return False  # Its driver will say what is wrong.

    def _start(self, name: str) -> None:
        directory = self._settings.runs.resolve() / name
        self._children[name] = start_run(directory / STUDY_FILE, directory / LOG)

    def _ended(self, name: str, exit_code: int) -> None:
        if exit_code not in (0, INTERRUPTED) and self._driver_here(name) is not None:
            return  # One that an earlier server had started was quicker to the lock.
        if exit_code == INTERRUPTED:
            return  # Queued, unless a stop was asked for: then that is noted already.
        self._note(name, exit_code, last_words(exit_code, self._settings.runs / name / LOG))

    def _note(self, name: str, exit_code: int, message: str | None) -> None:
        directory = self._settings.runs / name
        submission = read_submission(directory)
        if submission is not None and submission.wanted:  # Not stopped meanwhile.
            ended = replace(submission, wanted=False, exit_code=exit_code, message=message)
            write_submission(directory, ended)


def _write_file(directory: Path, config: StudyConfig) -> None:
    document = yaml.safe_dump(document_of(config), sort_keys=False)
    write_bytes(directory / STUDY_FILE, document.encode())


def _delete_stored(url: str, name: str) -> None:
    storage = open_storage(url, create=False)
    try:
        optuna.delete_study(study_name=name, storage=storage)
    except KeyError:
        pass  # It was never begun.
    finally:
        storage.engine.dispose()

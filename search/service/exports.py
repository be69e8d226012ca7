"""Bundles on demand: each is made by a `lensnas export` of its own, one after the other."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from search.artifacts import write_bytes
from search.errors import UserError
from search.export.source import trained_weights
from search.live.studies import LiveStudies, UnknownStudyError

from .problems import BusyError, ConflictError
from .processes import COMMAND

ExportState = Literal["running", "done", "failed"]
WINNER = "winner"
MOST_WAITING = 20
_MOST_S = 1800
_ARCHIVE = "bundle.zip"
_CHOICE = re.compile(r"winner|0|[1-9][0-9]{0,6}")


class Export(BaseModel):
    """A bundle that was asked for. `message`: why it failed."""

    study: str
    trial: str
    state: ExportState
    message: str | None = None


class Exports:
    """Bundles of trials, by the study and the trial's number or "winner".

    What is made stays in the study's folder. What was being made when the server ended has to be
    asked for again. Use it as a context manager.
    """

    def __init__(self, studies: LiveStudies) -> None:
        self._studies = studies
        self._one_by_one = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._lock = threading.Lock()
        self._states: dict[tuple[str, str], Export] = {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Exports:
        return self

    def __exit__(self, *_: object) -> None:
        self._one_by_one.shutdown(wait=False, cancel_futures=True)
        process = self._process
        if process is not None:
            process.terminate()
        self._one_by_one.shutdown()

    def begin(self, study: str, trial: str) -> Export:
        """Make it, anew if it is there. Raises UserError where there is nothing to export."""
        results = self._studies.results(study).results
        trained_weights(results, _number(trial))
        with self._lock:
            known = self._states.get((study, trial))
            if known is not None and known.state == "running":
                return known
            if sum(state.state == "running" for state in self._states.values()) >= MOST_WAITING:
                raise BusyError(f"{MOST_WAITING} exports wait already")
            begun = Export(study=study, trial=trial, state="running")
            self._states[study, trial] = begun
        (self._folder(study, trial) / _ARCHIVE).unlink(missing_ok=True)
        self._one_by_one.submit(self._make, study, trial)
        return begun

    def state(self, study: str, trial: str) -> Export:
        """How far it is. Raises UnknownStudyError where it was not asked for."""
        _number(trial)
        self._studies.results(study)
        if (self._folder(study, trial) / _ARCHIVE).exists():
            return Export(study=study, trial=trial, state="done")
        known = self._states.get((study, trial))
        if known is None or known.state == "done":  # Its study was deleted since.
            raise UnknownStudyError(f"no export of trial {trial} of study {study!r} was asked for")
        return known

    def require_rest(self, study: str) -> None:
        """Raises ConflictError where a bundle of the study is being made."""
        with self._lock:
            for known in self._states.values():
                if known.study == study and known.state == "running":
                    raise ConflictError(f"trial {known.trial} of study {study!r} is exported: wait")

    def archive(self, study: str, trial: str) -> Path:
        """The bundle as a zip file. Raises UserError where it is not there yet."""
        state = self.state(study, trial)
        if state.state != "done":
            raise UserError(state.message or f"the export of {trial} is not done yet")
        return self._folder(study, trial) / _ARCHIVE

    def _folder(self, study: str, trial: str) -> Path:
        return self._studies.directory(study) / "exports" / trial

    def _make(self, study: str, trial: str) -> None:
        folder = self._folder(study, trial)
        try:
            message = self._export(study, trial, folder)
            if message is None:
                write_bytes(folder / _ARCHIVE, _zipped(folder, f"{study}-{trial}"))
        except (OSError, subprocess.SubprocessError, UserError) as error:
            message = str(error)
        state: ExportState = "done" if message is None else "failed"
        with self._lock:
            self._states[study, trial] = Export(
                study=study, trial=trial, state=state, message=message
            )

    def _export(self, study: str, trial: str, folder: Path) -> str | None:
        """What went wrong, None where nothing did."""
        number = _number(trial)
        choice = () if number is None else ("--trial", str(number))
        command = [*COMMAND, "export", study, *choice, "-o", folder, "--runs", self._studies.runs]
        with subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            start_new_session=True,
        ) as process:
            self._process = process
            try:
                _, said = process.communicate(timeout=_MOST_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # What runs the files, too.
                raise
            finally:
                self._process = None
        lines = said.strip().splitlines() or ["the export was ended"]
        return None if process.returncode == 0 else lines[-1].removeprefix("error: ")


def _number(trial: str) -> int | None:
    """Of the trial; None for the winner. Raises UnknownStudyError for anything else."""
    if not _CHOICE.fullmatch(trial):
        raise UnknownStudyError(f"a trial is a number or {WINNER!r}, not {trial[:80]!r}")
    return None if trial == WINNER else int(trial)


def _zipped(folder: Path, name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            # Not the archive, nor what a server that was killed has left of one.
            hidden = any(part.startswith(".") for part in inside.parts)
            if path.is_file() and path.name != _ARCHIVE and not hidden:
                archive.write(path, f"{name}/{inside.as_posix()}")
    return content.getvalue()

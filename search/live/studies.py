"""Every study under a folder, read from its storage as it grows."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from search.config import StudyConfig, load_config
from search.errors import UserError
from search.study.database import sqlite_path
from search.study.results import StudyResults
from search.study.rows import RowStorage
from search.study.storage import holds_study, open_storage

from .reader import Live as Live
from .reader import StorageAwayError as StorageAwayError
from .reader import StudyReader
from .reader import UnknownStudyError as UnknownStudyError
from .submission import INTERRUPTED, STUDY_FILE, SUBMISSION, Submission, read_submission

State = Literal["running", "queued", "stopped", "finished", "failed"]
"""`stopped`: it can go on. `failed`: its last run ended with an error, which is the message."""

_NAME = re.compile(StudyConfig.model_fields["name"].metadata[0].pattern)


@dataclass(frozen=True)
class StudyOverview:
    """One line of the list of studies.

    `counts`: trials by status. `trained` of `trials` count towards the total. `left_s`: what is
    left of the search at `trials_per_hour`, finals not included; None where nothing was trained.
    `message`: why it failed, or cannot be read; everything else is None or empty then.
    """

    name: str
    state: State
    task: str | None
    device: str | None
    dataset: str | None
    counts: dict[str, int]
    trained: int
    trials: int | None
    best_log2_score: float | None
    trials_per_hour: float | None
    left_s: float | None
    message: str | None = None


class LiveStudies:
    """The studies under `runs`, whoever runs them, and wherever they are stored.

    Thread-safe. A study is read when it is asked for, at most twice a second, and a finished
    trial only once; who asks while another thread reads gets what was known before.
    """

    def __init__(self, runs: Path = Path("runs")) -> None:
        self.runs = runs
        self._lock = threading.Lock()
        self._readers: dict[str, StudyReader] = {}
        self._storages: dict[str, RowStorage] = {}
        # They grow also over a study that is made anew, and over another start of the server.
        self._versions = itertools.count(time.time_ns() // 1_000_000)

    def names(self) -> list[str]:
        """Of all studies, in the order of the alphabet; those that wait to begin included."""
        try:
            folders = [entry for entry in self.runs.iterdir() if _NAME.fullmatch(entry.name)]
        except OSError:
            return []
        return sorted(entry.name for entry in folders if _holds_study(entry))

    def overview(self) -> list[StudyOverview]:
        """Of every study of `names`; one that cannot be read says why."""
        found = []
        for name in self.names():
            try:
                found.append(self.summary(name))
            except UserError as error:
                if _holds_study(self.runs / name):  # Else it was deleted meanwhile.
                    found.append(_unreadable(name, str(error)))
        return found

    def summary(self, name: str) -> StudyOverview:
        """Of one study. Raises as `results`."""
        live = self.results(name)
        directory = self.directory(name)
        reader = self._reader(name)
        submission = read_submission(directory)
        held = reader.holder(directory) is not None
        state = _state(live.results, submission, held, directory)
        message = submission.message if submission and state == "failed" else None
        return _summary(live, state, message)

    def results(self, name: str) -> Live:
        """All of a study. Raises UnknownStudyError, StorageAwayError, or UserError where it cannot
        be read."""
        directory = self.directory(name)
        if not _holds_study(directory):
            self.forget(name)
            raise UnknownStudyError(f"there is no study {name!r}: see the list of studies")
        return self._reader(name).read(directory)

    def has_finished(self, name: str) -> bool:
        """Whether all has ended that its file asks for, as far as the storage can say."""
        return _is_finished(self.results(name).results, self.directory(name))

    def holder(self, name: str) -> str | None:
        """Who drives the study, as its lock names them; None where nobody does."""
        directory = self.directory(name)
        return self._reader(name).holder(directory)

    def directory(self, name: str) -> Path:
        """The study's folder. Raises UnknownStudyError for what cannot be a study's name."""
        if not _NAME.fullmatch(name):
            raise UnknownStudyError(f"{name[:80]!r} is not the name of a study")
        return self.runs / name

    def forget(self, name: str) -> None:
        """Let go of a study that is deleted."""
        with self._lock:
            self._readers.pop(name, None)

    def _reader(self, name: str) -> StudyReader:
        with self._lock:
            return self._readers.setdefault(name, StudyReader(name, self._storage, self._versions))

    def _storage(self, url: str) -> RowStorage:
        """One for each database, so that many studies in one need one pool of connections."""
        path = sqlite_path(url)
        # A file that was deleted and made anew is another database.
        key = url if path is None else f"{url} {path.stat().st_ino}"
        with self._lock:
            if key in self._storages:
                return self._storages[key]
        # Not under the lock: a server that is away is waited for.
        opened = open_storage(url, create=False)
        with self._lock:
            for old in [k for k in self._storages if k.startswith(f"{url} ") and k != key]:
                self._storages.pop(old).engine.dispose()
            return self._storages.setdefault(key, opened)


def _holds_study(directory: Path) -> bool:
    try:
        return (directory / SUBMISSION).exists() or holds_study(directory)
    except OSError:
        return False  # A folder of somebody else's.


def _state(
    results: StudyResults, submission: Submission | None, held: bool, directory: Path
) -> State:
    if held:
        return "running"
    if submission is not None and submission.wanted:
        return "finished" if _is_finished(results, directory) else "queued"
    code = submission.exit_code if submission is not None else None
    if code not in (None, 0, INTERRUPTED):
        return "failed"
    # It ended by itself also where the space had fewer candidates than were asked for.
    return "finished" if code == 0 or _has_all(results, results.config) else "stopped"


def _is_finished(results: StudyResults, directory: Path) -> bool:
    """As the storage knows the study, and as its submitted file does, which may ask for more."""
    if not _has_all(results, results.config):
        return False
    file = directory / STUDY_FILE
    return not file.exists() or _has_all(results, load_config(file))


def _has_all(results: StudyResults, wanted: StudyConfig) -> bool:
    """Whether its search and its finals have ended."""
    finals = wanted.finals
    if results.trained < wanted.trials or finals is None:
        return results.trained >= wanted.trials
    seeds = Counter(run.architecture for run in results.finals if run.steps == finals.steps)
    return bool(seeds) and min(seeds.values()) >= finals.seeds


def _summary(live: Live, state: State, message: str | None) -> StudyOverview:
    results, rate = live.results, live.trials_per_hour
    config, best = results.config, results.best
    left = max(config.trials - results.trained, 0)
    return StudyOverview(
        name=config.name,
        state=state,
        task=config.task,
        device=config.device,
        dataset=config.data.dataset,
        counts=live.counts,
        trained=results.trained,
        trials=config.trials,
        best_log2_score=best.log2_score if best else None,
        trials_per_hour=rate,
        left_s=3600 * left / rate if rate else None,
        message=message,
    )


def _unreadable(name: str, message: str) -> StudyOverview:
    return StudyOverview(
        name, "failed", None, None, None, {}, 0, None, None, None, None, message
    )  # fmt: skip

"""Every study under a folder, read from its storage as it grows."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import optuna
import sqlalchemy
from optuna.storages import RDBStorage

from search.config import StudyConfig, load_config, parse_config
from search.errors import UserError
from search.study.database import first_line, shown, sqlite_path
from search.study.ownership import claimant_of, driver_lock_file, holder_of, sqlite_lock_file
from search.study.results import StudyResults, TrialRecord, read_finals, read_trial
from search.study.storage import CONFIG, open_storage, url_of

from .submission import STUDY_FILE, SUBMISSION, Submission, read_submission

State = Literal["running", "queued", "stopped", "finished", "failed"]
"""`stopped`: it can go on. `failed`: its last run ended with an error, which is the message."""

READ_EVERY_S = 0.5
_RATED_TRIALS = 20
"""The speed of a study is that of its last so many trainings."""
_NAME = re.compile(StudyConfig.model_fields["name"].metadata[0].pattern)


class UnknownStudyError(UserError):
    """There is no study of that name."""


class StorageAwayError(UserError):
    """A study's storage does not answer now; it may later."""


@dataclass(frozen=True)
class Live:
    """`version` grows whenever `results` changed; what was worked out of it holds until then."""

    results: StudyResults
    version: int

    @cached_property
    def counts(self) -> dict[str, int]:
        """Trials by status."""
        return dict(sorted(Counter(t.status for t in self.results.trials).items()))

    @cached_property
    def trials_per_hour(self) -> float | None:
        """By the last trainings, all workers at work; None where nothing was trained."""
        trials = reversed(self.results.trials)
        lasted = (t.seconds["total"] for t in trials if t.seconds.get("total"))
        last = list(itertools.islice(lasted, _RATED_TRIALS))
        return 3600 * self.results.config.workers * len(last) / sum(last) if last else None


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

    Thread-safe. A study is read when it is asked for, at most every `READ_EVERY_S`, and a finished
    trial only once; who asks while another thread reads gets what was known before.
    """

    def __init__(self, runs: Path = Path("runs")) -> None:
        self.runs = runs
        self._lock = threading.Lock()
        self._readers: dict[str, _Reader] = {}
        self._storages: dict[str, RDBStorage] = {}
        self._versions = itertools.count(1)  # Grows also over a study that is made anew.

    def names(self) -> list[str]:
        """Of all studies, in the order of the alphabet; those that wait to begin included."""
        try:
            folders = [entry for entry in self.runs.iterdir() if _NAME.search(entry.name)]
        except OSError:
            return []
        return sorted(entry.name for entry in folders if _holds_study(entry))

    def overview(self) -> list[StudyOverview]:
        """Of every study of `names`; one that cannot be read says why."""
        found = []
        for name in self.names():
            try:
                found.append(self.summary(name))
            except UnknownStudyError:
                continue  # Deleted meanwhile.
            except UserError as error:
                found.append(_unreadable(name, str(error)))
        return found

    def summary(self, name: str) -> StudyOverview:
        """Of one study. Raises as `results`."""
        live = self.results(name)
        directory = self.directory(name)
        reader = self._reader(name)
        submission = read_submission(directory)
        held = reader.holder(directory) is not None
        state = _state(live.results, submission, held)
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

    def holder(self, name: str) -> str | None:
        """Who drives the study, as its lock names them; None where nobody does."""
        return self._reader(name).holder(self.directory(name))

    def directory(self, name: str) -> Path:
        """The study's folder. Raises UnknownStudyError for what cannot be a study's name."""
        if not _NAME.search(name):
            raise UnknownStudyError(f"{name[:80]!r} is not the name of a study")
        return self.runs / name

    def forget(self, name: str) -> None:
        """Let go of a study that is deleted."""
        with self._lock:
            self._readers.pop(name, None)

    def _reader(self, name: str) -> _Reader:
        with self._lock:
            return self._readers.setdefault(name, _Reader(name, self._storage, self._versions))

    def _storage(self, url: str) -> RDBStorage:
        """One for each database, so that many studies in one need one pool of connections."""
        path = sqlite_path(url)
        # A file that was deleted and made anew is another database.
        key = url if path is None else f"{url} {path.stat().st_ino}"
        with self._lock:
            if key not in self._storages:
                for old in [k for k in self._storages if k.startswith(f"{url} ")]:
                    self._storages.pop(old).engine.dispose()
                self._storages[key] = open_storage(url, create=False)
            return self._storages[key]


class _Reader:
    """One study, as far as it was read."""

    def __init__(self, name: str, storage_of: Any, versions: Iterator[int]) -> None:
        self.name = name
        self._storage_of, self._versions = storage_of, versions
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._read_at = float("-inf")
        self._url: str | None = None
        self._start(None)

    def _start(self, storage: RDBStorage | None) -> None:
        """Read `storage` from its beginning."""
        self._storage = storage
        self._study_id: int | None = None
        self._attrs: dict[str, Any] = {}
        self._config: StudyConfig | None = None
        self._records: list[TrialRecord] = []
        self._unfinished: set[int] = set()
        self._last_finished = -1

    def read(self, directory: Path) -> Live:
        if not self._lock.acquire(blocking=self._live is None):
            assert self._live is not None
            return self._live
        try:
            if self._live is None or time.monotonic() - self._read_at >= READ_EVERY_S:
                self._refresh(directory)
                self._read_at = time.monotonic()
            assert self._live is not None
            return self._live
        finally:
            self._lock.release()

    def holder(self, directory: Path) -> str | None:
        held = holder_of(driver_lock_file(directory))
        if held is not None or self._url is None or self._storage is None:
            return held
        path = sqlite_path(self._url)
        if path is None:
            with _answering(self._url):
                return claimant_of(self._storage.engine, self.name)
        return holder_of(sqlite_lock_file(path, self.name))

    def _refresh(self, directory: Path) -> None:
        self._url = url_of(directory)
        if self._url is None:
            self._waiting(directory)
            return
        try:
            with _answering(self._url):
                storage = self._storage_of(self._url)
                if storage is not self._storage:
                    self._start(storage)
                changed = self._read_attrs(storage, directory) | self._read_trials(storage)
        except KeyError:
            self._start(None)
            # A driver makes its file before it makes its study.
            self._waiting(directory)
            return
        assert self._config is not None
        if changed or self._live is None:
            finals = read_finals(self._attrs)
            self._found(StudyResults(self._config, tuple(self._records), finals))

    def _waiting(self, directory: Path) -> None:
        """It was submitted, and has no trials yet."""
        if not (directory / STUDY_FILE).exists():
            raise UnknownStudyError(f"there is no study {self.name!r} in its storage")
        config = load_config(directory / STUDY_FILE)
        results = StudyResults(config, (), ())
        if self._live is None or self._live.results != results:
            self._found(results)

    def _found(self, results: StudyResults) -> None:
        self._live = Live(results, next(self._versions))

    def _read_attrs(self, storage: RDBStorage, directory: Path) -> bool:
        if self._study_id is None:
            self._study_id = storage.get_study_id_from_name(self.name)
        attrs = storage.get_study_user_attrs(self._study_id)
        if CONFIG not in attrs:
            raise KeyError(self.name)
        if attrs == self._attrs:
            return False
        if attrs[CONFIG] != self._attrs.get(CONFIG):
            config = parse_config(attrs[CONFIG]["config"], f"the stored study {self.name}")
            # Its folder may have been moved, or was named from another directory.
            self._config = config.model_copy(update={"output": directory.parent})
        self._attrs = attrs
        return True

    def _read_trials(self, storage: RDBStorage) -> bool:
        """What is new, and what had not ended; as Optuna's own cache does, but saying whether
        anything changed, and without going through all trials."""
        assert self._study_id is not None
        changed = False
        for trial in storage._get_trials(
            self._study_id, None, self._unfinished, self._last_finished
        ):
            if trial.state.is_finished():
                self._unfinished.discard(trial._trial_id)
                self._last_finished = max(self._last_finished, trial._trial_id)
            else:
                self._unfinished.add(trial._trial_id)
            changed |= self._note(read_trial(trial))
        return changed

    def _note(self, record: TrialRecord) -> bool:
        if record.number == len(self._records):
            self._records.append(record)
        elif self._records[record.number] != record:
            self._records[record.number] = record
        else:
            return False
        return True


@contextmanager
def _answering(url: str) -> Iterator[None]:
    """Raises StorageAwayError where the storage does not."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        message = f"the storage {shown(url)} does not answer: {first_line(error)}"
        raise StorageAwayError(message) from None


def _holds_study(directory: Path) -> bool:
    return (directory / SUBMISSION).exists() or url_of(directory) is not None


def _state(results: StudyResults, submission: Submission | None, held: bool) -> State:
    if held:
        return "running"
    if submission is not None and submission.wanted:
        return "queued"
    if submission is not None and submission.exit_code == 0:
        return "finished"  # Also where the space had fewer candidates than were asked for.
    if _is_finished(results):
        return "finished"
    failed = submission is not None and submission.exit_code not in (None, 130)
    return "failed" if failed else "stopped"


def _is_finished(results: StudyResults) -> bool:
    """Whether its search and its finals have ended, as far as the storage can say."""
    finals = results.config.finals
    if results.trained < results.config.trials:
        return False
    if finals is None:
        return True
    finalists = results.finalists()
    return bool(finalists) and all(len(f.psnrs_db) >= finals.seeds for f in finalists)


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

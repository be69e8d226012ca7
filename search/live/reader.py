"""One study, read from its storage as it grows: what is finished is read once."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy

from search.config import StudyConfig, load_config, parse_config
from search.errors import UserError
from search.study.database import first_line, shown, sqlite_path
from search.study.ownership import claimant_of, driver_lock_file, holder_of, sqlite_lock_file
from search.study.results import StudyResults, TrialRecord, read_finals, read_trial
from search.study.rows import RowStorage
from search.study.storage import CONFIG, url_of

from .submission import STUDY_FILE

READ_EVERY_S = 0.5
ASK_AGAIN_S = 5
"""After a storage did not answer."""
_RATED_TRIALS = 20
"""The speed of a study is that of its last so many trainings."""


class UnknownStudyError(UserError):
    """There is no study of that name."""


class StorageAwayError(UserError):
    """A study's storage does not answer now; it may later."""


class DamagedError(UserError):
    """What a storage holds is no study of this program."""


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


class StudyReader:
    """The study `name`, as far as it was read. Thread-safe.

    `storage_of` opens the storage of a URL; `versions` only ever grow.
    """

    def __init__(
        self, name: str, storage_of: Callable[[str], RowStorage], versions: Iterator[int]
    ) -> None:
        self.name = name
        self._storage_of, self._versions = storage_of, versions
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._read_at = float("-inf")
        self._away: StorageAwayError | None = None
        self._away_at = 0.0
        self._url: str | None = None
        self._start(None)

    def _start(self, storage: RowStorage | None) -> None:
        """Read `storage` from its beginning."""
        self._storage = storage
        self._changed = True
        self._study_id: int | None = None
        self._attrs: dict[str, Any] = {}
        self._config: StudyConfig | None = None
        self._records: list[TrialRecord] = []
        self._unfinished: set[int] = set()
        self._last_finished = -1

    def read(self, directory: Path) -> Live:
        """All of the study in `directory`. Raises as `LiveStudies.results`."""
        known, away = self._live, self._away
        # Only who asks first waits, for a large study or for a storage that is away.
        if not self._lock.acquire(blocking=known is None and away is None):
            if known is None:
                raise StorageAwayError(str(away))
            return known
        try:
            self._require_not_away()
            if self._live is None or time.monotonic() - self._read_at >= READ_EVERY_S:
                self._read(directory)
            assert self._live is not None
            return self._live
        finally:
            self._lock.release()

    def _read(self, directory: Path) -> None:
        with self._noted_if_away():
            self._refresh(directory)
        self._away, self._read_at = None, time.monotonic()

    def _require_not_away(self) -> None:
        if self._away is not None and time.monotonic() - self._away_at < ASK_AGAIN_S:
            raise StorageAwayError(str(self._away))

    @contextmanager
    def _noted_if_away(self) -> Iterator[None]:
        try:
            yield
        except StorageAwayError as error:
            # Else everybody who asks would wait for it in turn.
            self._away, self._away_at = error, time.monotonic()
            raise

    def holder(self, directory: Path) -> str | None:
        """Who drives it, None where nobody does. Raises StorageAwayError."""
        held = holder_of(driver_lock_file(directory))
        if held is not None or self._url is None or self._storage is None:
            return held
        path = sqlite_path(self._url)
        if path is None:
            self._require_not_away()
            with self._noted_if_away(), _answering(self._url):
                return claimant_of(self._storage.engine, self.name)
        return holder_of(sqlite_lock_file(path, self.name))

    def _refresh(self, directory: Path) -> None:
        self._url = url_of(directory)
        if self._url is None:
            self._waiting(directory)
            return
        try:
            with _answering(self._url):
                storage = self._opened(self._url)
                if storage is not self._storage:
                    self._start(storage)
                # Kept where the second fails: the next time only the rest is read.
                self._changed |= self._read_attrs(storage, directory)
                self._changed |= self._read_trials(storage)
        except KeyError:
            self._start(None)
            # A driver makes its file before it makes its study.
            self._waiting(directory)
            return
        except DamagedError:
            self._start(None)  # Half of it was noted.
            raise
        assert self._config is not None
        if self._changed or self._live is None:
            with _sound(f"the stored study {self.name}"):
                finals = read_finals(self._attrs)
            self._found(StudyResults(self._config, tuple(self._records), finals))

    def _opened(self, url: str) -> RowStorage:
        try:
            return self._storage_of(url)
        except (UserError, OSError) as error:
            raise StorageAwayError(str(error)) from None

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
        self._changed = False

    def _read_attrs(self, storage: RowStorage, directory: Path) -> bool:
        if self._study_id is None:
            self._study_id = storage.get_study_id_from_name(self.name)
        attrs = storage.get_study_user_attrs(self._study_id)
        if CONFIG not in attrs:
            raise KeyError(self.name)
        if attrs == self._attrs:
            return False
        if attrs[CONFIG] != self._attrs.get(CONFIG):
            stored = f"the stored study {self.name}"
            with _sound(stored):
                config = parse_config(attrs[CONFIG]["config"], stored)
            # Its folder may have been moved, or was named from another directory.
            self._config = config.model_copy(update={"output": directory.parent})
        self._attrs = attrs
        return True

    def _read_trials(self, storage: RowStorage) -> bool:
        """What is new, and what had not ended; as Optuna's own cache does, but saying whether
        anything changed, and without going through all trials."""
        assert self._study_id is not None
        changed = False
        for trial in storage.trials_since(self._study_id, self._unfinished, self._last_finished):
            if trial.state.is_finished():
                self._unfinished.discard(trial._trial_id)
                self._last_finished = max(self._last_finished, trial._trial_id)
            else:
                self._unfinished.add(trial._trial_id)
            with _sound(f"trial {trial.number} of the stored study {self.name}"):
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
def _sound(what: str) -> Iterator[None]:
    """Raises DamagedError where stored values are of another form than ours."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DamagedError(f"{what} is damaged: {type(error).__name__}: {error}") from None


@contextmanager
def _answering(url: str) -> Iterator[None]:
    """Raises StorageAwayError where the storage does not."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        message = f"the storage {shown(url)} does not answer: {first_line(error)}"
        raise StorageAwayError(message) from None

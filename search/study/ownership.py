"""Who drives a study: one process at a time, whatever machine it runs on.

On one machine a lock on a file says so. In PostgreSQL it is an advisory lock of the very session
that writes: whoever cannot hold it cannot write, and it ends with the driver. A session that had
to be opened anew holds it again, or, where another driver came in between, stops the study.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy

from search.errors import UserError

from .patience import pause

DRIVER = "driver"
"""The attribute of a study in PostgreSQL that names its last driver."""

_OWNED_BY = f"""
    SELECT value_json FROM study_user_attributes JOIN studies USING (study_id)
    WHERE study_name = %s AND key = '{DRIVER}'
"""
_HOLDERS = """
    SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32 | objid::bigint) = %s
"""

_WRITTEN = re.compile(r"(?P<host>.*), pid (?P<pid>\d+), since .*")
"""A `Driver` in a message or a lock."""


@dataclass(frozen=True)
class Driver:
    """A process that drives a study, as another one names it in a message."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    since: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%MZ}")
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __str__(self) -> str:
        # As an application name PostgreSQL would cut it after 63 characters.
        return f"{self.host[:19]}, pid {self.pid}, since {self.since} ({self.id[:4]})"


def driver_lock_file(directory: Path) -> Path:
    """The lock of the study in this folder."""
    return directory / ".driver.lock"


def sqlite_lock_file(database: Path, study: str) -> Path:
    """The lock of a study in an SQLite file."""
    database = database.resolve()
    return database.with_name(f".{database.name}.{study}.lock")


def holder_of(lock: Path) -> str | None:
    """Who holds this lock, as `Driver` writes itself ("" while it does); None for nobody."""
    try:
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip()
    except FileNotFoundError:
        pass
    return None


def pid_here(holder: str) -> int | None:
    """The process id of a `Driver` of this machine, None for one of another."""
    found = _WRITTEN.fullmatch(holder)
    return int(found["pid"]) if found and found["host"] == socket.gethostname()[:19] else None


def claimant_of(engine: sqlalchemy.Engine, study: str) -> str | None:
    """Who holds a study in PostgreSQL, as `holder_of`."""
    with engine.connect() as connection:
        row = connection.exec_driver_sql(_HOLDERS, (_key(study),)).fetchone()
    return None if row is None else str(row[1])


@contextmanager
def driver_lock(directory: Path, by: str = "lensnas run") -> Iterator[None]:
    """Hold a study's folder, or a part of it; UserError where another holds it or it cannot be
    written. `by`: the command that is said to work on it then."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = driver_lock_file(directory).open("a+")
    except OSError as error:
        raise UserError(f"cannot write to {directory}: {error.strerror}") from None
    with lock:
        _lock_file(lock, str(directory), by)
        yield


def require_space(directory: Path) -> None:
    """Raises UserError where a study could not keep what it finds."""
    if shutil.disk_usage(directory).free < 50_000_000:
        raise UserError(f"less than 50 MB are free on the disk of {directory}")


@contextmanager
def service_lock(runs: Path) -> Iterator[None]:
    """Hold a folder of studies for one service; UserError where another holds it."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        lock = (runs / ".service.lock").open("a+")
    except OSError as error:
        raise UserError(f"cannot write to {runs}: {error.strerror}") from None
    with lock:
        _lock_file(lock, str(runs), by="lensnas serve")
        yield


@contextmanager
def sqlite_lock(database: Path, study: str) -> Iterator[None]:
    """Hold a study in an SQLite file, which another folder's study file may name too."""
    with sqlite_lock_file(database, study).open("a+") as lock:
        _lock_file(lock, f"study {study!r} in {database.resolve()}")
        yield


def _lock_file(lock: TextIO, what: str, by: str = "lensnas run") -> None:
    if not _locked(lock):
        lock.seek(0)
        holder = lock.read().strip()
        raise UserError(f"another {by!r} is working on {what}" + (f": {holder}" if holder else ""))
    with contextlib.suppress(OSError):  # On a full disk it is held without a name.
        os.ftruncate(lock.fileno(), 0)
        os.write(lock.fileno(), str(Driver()).encode())


_WAITS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.05, 0.1, 0.1, 0.1)
"""Odd ones, so that nobody who looks again and again is always there first."""


def _locked(lock: TextIO) -> bool:
    """Whether it could be locked. Asked again, since `holder_of` holds it for an instant."""
    for wait_s in _WAITS_S:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pause(wait_s)
        else:
            return True
    return False


def _key(study: str) -> int:
    """Of a study's advisory lock."""
    digest = hashlib.sha256(f"lensnas {study}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class Claim:
    """A study in PostgreSQL, held by every connection of an engine that has one at a time.

    Once the study's attribute `DRIVER` names `driver`, set `recorded`: from then on it must.
    """

    def __init__(self, study: str) -> None:
        self.study = study
        self.driver = Driver()
        self.recorded = False
        self._key = _key(study)

    def attach(self, engine: sqlalchemy.Engine) -> None:
        """Hold the study from the engine's next connection on."""
        sqlalchemy.event.listen(engine, "connect", self._hold)

    def _hold(self, connection: Any, _: Any) -> None:
        """Raises UserError where another driver holds it, or has held it meanwhile."""
        try:
            with connection.cursor() as cursor:
                self._lock(cursor)
                if self.recorded:
                    self._require_unchanged(cursor)
            connection.commit()
        except BaseException:
            connection.close()
            raise

    def _lock(self, cursor: Any) -> None:
        # Named before it is locked, so that whoever finds it locked can say by whom.
        cursor.execute("SELECT set_config('application_name', %s, false)", [str(self.driver)])
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [self._key])
        if cursor.fetchone()[0]:
            return
        cursor.execute(_HOLDERS, [self._key])
        holders = cursor.fetchall()
        ours = [pid for pid, name in holders if name == str(self.driver)]
        if ours:
            # The server has not noticed yet that our last connection is gone.
            cursor.execute("SELECT pg_terminate_backend(%s)", [ours[0]])
            cursor.execute("SELECT pg_advisory_lock(%s)", [self._key])
            return
        who = f": {holders[0][1]}" if holders else ""
        if self.recorded:
            raise UserError(f"study {self.study!r} was taken over by another driver{who}")
        raise UserError(f"another 'lensnas run' is working on study {self.study!r}{who}")

    def _require_unchanged(self, cursor: Any) -> None:
        cursor.execute(_OWNED_BY, [self.study])
        row = cursor.fetchone()
        stored = json.loads(row[0]) if row else {}
        if stored.get("id") != self.driver.id:
            who = f"{stored['host']}, pid {stored['pid']}" if stored else "someone who deleted it"
            raise UserError(
                f"study {self.study!r} was driven by another while its storage was away: {who}"
            )

"""Databases a study can live in: their URLs, how they are connected to, what their errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL, make_url

from search.errors import UserError

SQLITE = "sqlite:///"
SUPPORTED = (
    "an SQLite file (sqlite:///runs/study.db) or PostgreSQL (postgresql://user@host/database)"
)

SQLITE_BUSY_S = 10
"""How long SQLite itself waits for a lock, before a study's driver says that it waits."""
CONNECT_S = 10
STATEMENT_S = 120
"""Longest that one statement may take; reading the trials of a large study takes seconds."""
_NOTICED_S = 30
"""After this long a vanished network or machine counts as gone, for the client and the server."""

_REASONS = {
    "mysql": "it was never tested here",
    "mariadb": "it was never tested here",
    "redis": "a journal of Optuna's that is cut short cannot be read again",
    "journal": "a journal of Optuna's that is cut short cannot be read again",
    "grpc": "a proxy cannot hold a study for one driver",
}
_SQLITE_PASSES = ("locked", "busy", "disk is full", "disk i/o error")
_NEVER_PASSES = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied",
)


def check_url(url: str) -> None:
    """Refuse what no study can be kept in, in one line without the URL: it may hold a password.

    Raises ValueError.
    """
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise ValueError(
            f"not the URL of a database: use {SUPPORTED}; special characters of a password are "
            "written as %40 and so on"
        ) from None
    kind = parsed.drivername
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("a study cannot be kept in memory: use sqlite:///FILE")
    if kind not in ("sqlite", "postgresql", "postgresql+psycopg"):
        why = next((why for name, why in _REASONS.items() if name in kind), None)
        reason = f" ({why})" if why else ""
        raise ValueError(f"no storage of the kind {kind}{reason}: use {SUPPORTED}")


def own_url(directory: Path) -> str:
    """The SQLite file in a study's own folder: where it is kept unless it says otherwise."""
    return f"{SQLITE}{(directory / 'study.db').as_posix()}"


def is_missing(url: str) -> bool:
    """Whether it is an SQLite file that is not there."""
    path = sqlite_path(url)
    return path is not None and not path.exists()


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL, None for another database."""
    return Path(make_url(url).database or "") if url.startswith(SQLITE) else None


def shown(url: str) -> str:
    """The URL for messages: without its password and its options."""
    parsed = make_url(url)
    return parsed.set(query={}).render_as_string(hide_password=True).replace(":***@", "@")


def without_password(url: str) -> str:
    """The URL as it may be stored: whoever opens it has the password from elsewhere."""
    parsed = make_url(url)
    query = {name: value for name, value in parsed.query.items() if "password" not in name}
    public = URL.create(
        parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database, query
    )
    return public.render_as_string()


def driver_url(url: str) -> str:
    """The URL as SQLAlchemy needs it, naming the package that talks to the database."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def engine_options(url: str) -> dict[str, Any]:
    """How an engine connects. What the URL itself sets stays as it is.

    PostgreSQL: a connection that idled away is replaced unseen, and a network that swallows
    packets is noticed by both sides, so that a vanished driver does not keep its study.
    """
    if sqlite_path(url) is not None:
        return {"connect_args": {"timeout": SQLITE_BUSY_S}}
    server_settings = {
        "statement_timeout": f"{STATEMENT_S}s",
        "tcp_keepalives_idle": _NOTICED_S,
        "tcp_keepalives_interval": _NOTICED_S // 3,
        "tcp_keepalives_count": 3,
    }
    wanted: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "application_name": "lensnas",
        "keepalives_idle": _NOTICED_S,
        "keepalives_interval": _NOTICED_S // 3,
        "keepalives_count": 3,
        "tcp_user_timeout": _NOTICED_S * 1000,
        "options": " ".join(f"-c {name}={value}" for name, value in server_settings.items()),
    }
    given = make_url(url).query
    arguments = {name: value for name, value in wanted.items() if name not in given}
    return {"connect_args": arguments, "pool_pre_ping": True}


def passing_reason(error: BaseException) -> str | None:
    """Why the database cannot answer now, where waiting may help; None for any other error.

    Of PostgreSQL: it is away, restarting, full or out of connections, or a statement took too
    long. Of SQLite: another process holds its file, or the disk is full.
    """
    for cause in _chain(error):
        if not isinstance(cause, sqlalchemy.exc.DBAPIError):
            continue
        reason = first_line(cause)
        if isinstance(cause.orig, sqlite3.Error):
            return reason if any(text in reason.lower() for text in _SQLITE_PASSES) else None
        if any(text in reason for text in _NEVER_PASSES):
            return None
        away = isinstance(cause, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError)
        return reason if away or cause.connection_invalidated else None
    return None


def cannot_open(url: str, error: Exception) -> UserError:
    """What to say where a storage cannot be opened."""
    if isinstance(error, ImportError):
        return UserError("PostgreSQL needs the package psycopg: pip install -e '.[postgres]'")
    return UserError(f"cannot open the storage {shown(url)}: {first_line(error)}{_hint(error)}")


def first_line(error: BaseException) -> str:
    """The database's own words, without SQLAlchemy's around them."""
    for cause in _chain(error):
        if isinstance(cause, sqlalchemy.exc.DBAPIError):
            error = cause.orig or cause
            break
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def _hint(error: Exception) -> str:
    text = str(error)
    if "password" in text:
        return " (a password is read from PGPASSWORD or ~/.pgpass)"
    if "database" in text and "does not exist" in text:
        return " (make it with createdb)"
    if "permission denied for schema" in text:
        return " (the user needs GRANT CREATE, USAGE on it, or a database of its own)"
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came of: Optuna wraps those of the database."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__

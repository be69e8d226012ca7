"""The service's token: made once, known to its holders alone, and browsers' sessions under it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from pathlib import Path

from search.artifacts import write_bytes
from search.errors import UserError

SESSION_S = 7 * 24 * 3600
MOST_SESSIONS = 1000


def token_file(runs: Path) -> Path:
    """Holds the token's hash."""
    return runs / ".service-token"


def new_token(runs: Path) -> str:
    """Make a token in place of an earlier one. Only its hash is kept: it cannot be shown again.

    A hash without salt or stretching is enough for 256 random bits.
    """
    token = secrets.token_urlsafe(32)
    path = token_file(runs)
    write_bytes(path, _hash(token).encode())
    path.chmod(0o600)
    return token


def check_token_file(runs: Path) -> None:
    """Raises UserError for a file that is damaged, or that others could replace."""
    path = token_file(runs)
    if len(path.read_bytes().strip()) != hashlib.sha256().digest_size * 2:
        raise UserError(f"{path} is damaged: make another token with 'lensnas serve --new-token'")
    for place in (path, path.parent):
        if place.stat().st_mode & 0o002:
            raise UserError(f"everybody may write to {place}, and so replace the token: chmod o-w")


class Gate:
    """Who may come in: holders of the token, and browsers that have shown it.

    Sessions are in memory: a restart asks browsers for the token again.
    """

    def __init__(self, runs: Path) -> None:
        self._hash = token_file(runs).read_text().strip()
        self._lock = threading.Lock()
        self._sessions: dict[str, float] = {}  # When they end, by their hash.

    def knows(self, token: str) -> bool:
        """Whether it is the token, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(_hash(token), self._hash)

    def open_session(self) -> str:
        """A browser's secret for its cookie."""
        session = secrets.token_urlsafe(32)
        with self._lock:
            if len(self._sessions) >= MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[_hash(session)] = time.monotonic() + SESSION_S
        return session

    def in_session(self, session: str) -> bool:
        """Whether this secret was handed out, and is not too old."""
        return self._sessions.get(_hash(session), 0.0) > time.monotonic()

    def close_session(self, session: str) -> None:
        """Its secret is worth nothing from now on."""
        with self._lock:
            self._sessions.pop(_hash(session), None)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

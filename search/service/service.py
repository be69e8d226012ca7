"""`Service`: all that the routes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import Request

from search.live.studies import Live, LiveStudies

from .exports import Exports
from .guards import RateLimit
from .settings import Settings
from .supervisor import Supervisor

API = "/api/v1"


class Kept:
    """Answers that hold until their study changes, since many ask for the same."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[int, bytes]] = {}

    def answer(self, what: str, name: str, live: Live, make: Callable[[], bytes]) -> bytes:
        """What `make` says of study `name`, or said of this version of it."""
        version, answer = self._answers.get((what, name), (0, b""))
        if version != live.version:
            answer = make()
            self._answers[what, name] = live.version, answer
        return answer


@dataclass(frozen=True)
class Service:
    """One server's parts. `predictions`, `logins`: how often one client may ask."""

    settings: Settings
    studies: LiveStudies
    supervisor: Supervisor
    exports: Exports
    kept: Kept = field(default_factory=Kept)
    predictions: RateLimit = field(default_factory=lambda: RateLimit(burst=20, per_s=5))
    logins: RateLimit = field(default_factory=lambda: RateLimit(burst=10, per_s=0.2))

    @classmethod
    def of(cls, settings: Settings) -> Service:
        """Over the studies of `settings.runs`; nothing is at work yet."""
        studies = LiveStudies(settings.runs)
        return cls(settings, studies, Supervisor(settings, studies), Exports(studies))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Until the end of the block queued studies are run."""
        with self.supervisor, self.exports:
            yield


def client_of(request: Request) -> str:
    """Whom a rate is counted for."""
    return request.client.host if request.client else "?"

"""`Patience`: what to do while a study's database is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from search.errors import UserError

from .database import passing_reason
from .observer import Observer, Silent

T = TypeVar("T")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 15.0


def pause(seconds: float) -> None:
    """Not time.sleep, which fails under libfaketime, by which clocks are set back in tests."""
    threading.Event().wait(seconds)


class Patience:
    """Repeats a call that fails because the database is away, after growing pauses.

    `place`: the database, as the user knows it. For up to `limit_s` seconds in a row by the
    monotonic clock; a clock that is set back or forth changes nothing.
    """

    def __init__(self, place: str, limit_s: float, observer: Observer | None = None) -> None:
        self._place = place
        self._limit_s = limit_s
        self._observer = observer or Silent()

    def until_back(self, call: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """What `call` returns; after a failure `again`, for calls that may have come through.

        One line says that it waits, and one that it waited. Raises UserError once the limit is
        over; every other error as it comes.
        """
        try:
            return call()
        except Exception as error:
            reason = passing_reason(error)
            if reason is None:
                raise
        since, pause_s = time.monotonic(), FIRST_PAUSE_S
        self._observer.warn(
            f"the storage {self._place} is away: waiting for it, {self._limit_s:g} s at most "
            f"({reason})"
        )
        while (left_s := self._limit_s - (time.monotonic() - since)) > 0:
            pause(min(pause_s, left_s))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                result = (again or call)()
            except Exception as error:
                reason = passing_reason(error)
                if reason is None:
                    raise
            else:
                waited_s = time.monotonic() - since
                self._observer.note(f"the storage is back, after {waited_s:.0f} s")
                return result
        raise UserError(
            f"the storage {self._place} was away for {self._limit_s:g} s ({reason}): what was "
            "finished before is stored, run the same command again to go on"
        )

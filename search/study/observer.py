"""What a running study tells whoever watches it."""

from __future__ import annotations

from typing import Protocol

from .estimate import Estimate
from .results import FinalRun, TrialRecord


class Observer(Protocol):
    """Called by the driver, in its process, as things happen."""

    def stage(self, title: str, done: int, total: int) -> None:
        """A stage begins (or, with the same title, has advanced to `done` of `total`)."""
        ...

    def started(self, label: str, estimate: Estimate) -> None:
        """A training run begins."""
        ...

    def rung(self, label: str, step: int, psnr_db: float) -> None:
        """A training run reached a rung."""
        ...

    def trial(self, record: TrialRecord) -> None:
        """A trial has ended, whatever its status."""
        ...

    def final(self, run: FinalRun) -> None:
        """A run of the finals has ended."""
        ...

    def warn(self, message: str) -> None:
        """Something the user should know."""
        ...

    def note(self, message: str) -> None:
        """Something that is well again."""
        ...


class Silent:
    """An observer that says nothing."""

    def stage(self, title: str, done: int, total: int) -> None:
        """See `Observer.stage`."""

    def started(self, label: str, estimate: Estimate) -> None:
        """See `Observer.started`."""

    def rung(self, label: str, step: int, psnr_db: float) -> None:
        """See `Observer.rung`."""

    def trial(self, record: TrialRecord) -> None:
        """See `Observer.trial`."""

    def final(self, run: FinalRun) -> None:
        """See `Observer.final`."""

    def warn(self, message: str) -> None:
        """See `Observer.warn`."""

    def note(self, message: str) -> None:
        """See `Observer.note`."""

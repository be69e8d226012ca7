"""Who looks on at a training step by step, and may end it."""

from __future__ import annotations

from typing import Protocol


class TrainingStoppedError(RuntimeError):
    """Whoever looks on wanted no further step.

    `step`: the last one. `kept`: whether a checkpoint of it was written, to go on from.
    """

    def __init__(self, step: int, *, kept: bool) -> None:
        super().__init__(f"stopped after step {step}")
        self.step, self.kept = step, kept


class Onlooker(Protocol):
    """Who looks on at every step of a training, and may end it."""

    def begins(self, step: int) -> None:
        """The training goes on after `step`, 0 for one that starts."""
        ...

    def stepped(self, step: int, loss: float) -> None:
        """A step was made, counted from 1."""
        ...

    def stops(self) -> bool:
        """Whether to end after this step, with a checkpoint."""
        ...


class Nobody:
    """An onlooker who has no wishes."""

    def begins(self, step: int) -> None:
        """See `Onlooker.begins`."""

    def stepped(self, step: int, loss: float) -> None:
        """See `Onlooker.stepped`."""

    def stops(self) -> bool:
        """See `Onlooker.stops`."""
        return False

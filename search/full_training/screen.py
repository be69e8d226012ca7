"""What a full training tells whoever watches it."""

from __future__ import annotations

from typing import Protocol


class Screen(Protocol):
    """Called in the process that trains, as things happen."""

    def begins(self, title: str, step: int, steps: int) -> None:
        """A training of so many `steps` starts, or goes on after `step`."""
        ...

    def stepped(self, step: int, loss: float) -> None:
        """A step was made, counted from 1."""
        ...

    def measured(self, step: int, psnr_db: float) -> None:
        """Validation images were looked at, by the averaged weights."""
        ...

    def note(self, message: str) -> None:
        """A line for the user."""
        ...

    def stops(self) -> bool:
        """Whether the user wants no further step."""
        ...

"""`Context`: what the caller knows of a file that is being imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from latency.measurements.measurement import Measurement, MeasurementError


@dataclass(frozen=True, slots=True)
class Context:
    """Stands in for what a file does not say.

    `model`: the file's own stem. `device`: None where the caller named none.
    `accelerator`: likewise, a file that says one is believed. `date`: when the
    file was last changed.
    """

    model: str
    device: str | None = None
    accelerator: str | None = None
    date: str = ""

    def measurement(self, *, line: int | None = None, **values: Any) -> Measurement:
        """A measurement; model, device and date are this context's unless given.

        `line`: where the file gives the run time. Raises `MeasurementError` where
        no device is known, and naming the line where the values are impossible.
        """
        known = {"model": self.model, "device": self.device, "date": self.date}
        merged = known | {name: value for name, value in values.items() if value is not None}
        if not merged["device"]:
            raise MeasurementError("does not say on which device: name it (--device)")
        try:
            return Measurement(**merged)
        except MeasurementError as error:
            raise MeasurementError(error.problem, line=line) from error

    def needs_accelerator(self) -> str:
        """The accelerator the caller named. Raises `MeasurementError` where there is none."""
        if not self.accelerator:
            raise MeasurementError("does not say on which accelerator: name it (--accelerator)")
        return self.accelerator


@dataclass(frozen=True, slots=True)
class Importer:
    """One format: whether a text is of it, and its measurements.

    `read` raises `MeasurementError`, with the line where there is one, whatever the text.
    """

    recognises: Callable[[str], bool]
    read: Callable[[str, Context], list[Measurement]]

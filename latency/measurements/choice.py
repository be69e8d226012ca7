"""Which measurements may stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from .measurement import Measurement, MeasurementError


def of_one_method(
    found: Sequence[Measurement], device: str | None = None, accelerator: str | None = None
) -> list[Measurement]:
    """Those of one device, by default the only one, all of them timed in one way.

    Raises `MeasurementError` where there are none, or where it has to be said which.
    """
    names = sorted({measurement.device for measurement in found})
    if not names:
        raise MeasurementError("there is no measurement")
    if device is None and len(names) > 1:
        raise MeasurementError(
            f"measurements of several devices: choose with --device: {', '.join(names)}"
        )
    taken = [m for m in found if m.device == (device or names[0])]
    if not taken:
        raise MeasurementError(f"no measurement of {device!r}; there are {', '.join(names)}")
    units = sorted({m.accelerator for m in taken})
    taken = [m for m in taken if accelerator in (None, m.accelerator)]
    if not taken:
        raise MeasurementError(f"no measurement on the {accelerator}; there are {', '.join(units)}")
    methods = sorted({f"{m.method} ({m.accelerator})" for m in taken})
    if len(methods) > 1:
        raise MeasurementError(
            f"measurements of {len(methods)} methods do not mix: {'; '.join(methods)}"
        )
    return taken

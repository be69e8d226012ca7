"""`Measurement`: one timing of one network on one device, with all that is needed to trust it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency.graph import GraphError

STATISTICS = ("mean", "median", "min", "kernel_sum")
ACCELERATORS = ("gpu", "cpu", "npu")
MAX_SPREAD = 0.1
"""Runs of a cool, idle phone vary by 1 to 5 % (std / mean); beyond 10 % something disturbed it."""


class MeasurementError(GraphError):
    """A measurement that failed or cannot be read; the message names the file and line, if any."""

    def __init__(
        self, problem: str, *, path: Path | str | None = None, line: int | None = None
    ) -> None:
        where = [str(path)] if path is not None else []
        where += [f"line {line}"] if line is not None else []
        super().__init__(f"{', '.join(where)}: {problem}" if where else problem)
        self.problem = problem
        self.line = line

    def within(self, path: Path | str) -> MeasurementError:
        """The same error, naming the file."""
        return type(self)(self.problem, path=path, line=self.line)


@dataclass(frozen=True, slots=True)
class KernelTime:
    """One row of an op profile: a kernel as the tool names it, and its mean time in a run."""

    name: str
    ms: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """The run time of one network, measured.

    `model`: stem of the file. `sha256`: of the file, where it was at hand.
    `ms`: of one inference end to end; `std_ms` its standard deviation over `runs`.
    `statistic`: what of the runs `ms` is. "kernel_sum" marks a profile without an
        end-to-end time: `ms` is then the sum of `kernels`, and an inference takes
        longer, on phones several times longer.
    `accelerator`: where the network ran, which may not be where it was asked to run.
    `delegated`: whether the accelerator ran every op; None where the tool does not say.
        `delegated_ops` of `total_ops`, in `partitions` pieces, where known.
    `method`: how it was timed, in the same words for all that may be compared. The
        same GPU gives other times inside an app than through adb: methods do not mix.
    `date`: ISO 8601. `kernels`: in run order, where the tool profiled them.
    `notes`: what a reader has to know: fallbacks, refused ops, throttling.

    Raises `MeasurementError` for values that cannot be measured.
    """

    model: str
    device: str
    ms: float
    sha256: str | None = None
    statistic: str = "mean"
    std_ms: float | None = None
    runs: int | None = None
    accelerator: str = "gpu"
    delegated: bool | None = None
    delegated_ops: int | None = None
    total_ops: int | None = None
    partitions: int | None = None
    method: str = ""
    tool_version: str = ""
    date: str = ""
    kernels: tuple[KernelTime, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.model:
            raise MeasurementError("the model has no name")
        if not self.device:
            raise MeasurementError(f"{self.model}: no device is named")
        if not (self.ms > 0 and math.isfinite(self.ms)):
            raise MeasurementError(f"{self.model}: {self.ms} ms is no run time")
        if self.std_ms is not None and not (self.std_ms >= 0 and math.isfinite(self.std_ms)):
            raise MeasurementError(f"{self.model}: {self.std_ms} ms is no standard deviation")
        if self.runs is not None and self.runs < 1:
            raise MeasurementError(f"{self.model}: {self.runs} runs")
        if not all(kernel.ms >= 0 and math.isfinite(kernel.ms) for kernel in self.kernels):
            raise MeasurementError(f"{self.model}: a kernel time is negative or not finite")
        _one_of(self.model, "statistic", self.statistic, STATISTICS)
        _one_of(self.model, "accelerator", self.accelerator, ACCELERATORS)

    @property
    def kernel_sum_ms(self) -> float | None:
        """Sum of the profiled kernels; None without a profile. Less than `ms`: launches cost."""
        return math.fsum(kernel.ms for kernel in self.kernels) if self.kernels else None

    @property
    def spread(self) -> float | None:
        """Standard deviation relative to `ms`."""
        return None if self.std_ms is None else self.std_ms / self.ms


def spread_notes(ms: float, std_ms: float | None) -> tuple[str, ...]:
    """A note where the runs vary more than `MAX_SPREAD`, the mark of throttling or other load."""
    if std_ms is None or ms <= 0 or std_ms / ms <= MAX_SPREAD:
        return ()
    return (
        f"runs vary by {std_ms / ms:.0%} (std / mean): throttling or other load, measure again",
    )


def to_record(measurement: Measurement) -> dict[str, Any]:
    """As a JSON object; what is empty or unknown is left out."""
    record = dataclasses.asdict(measurement)
    return {name: value for name, value in record.items() if value not in (None, "", ())}


def from_record(record: object) -> Measurement:
    """Inverse of `to_record`. Raises `MeasurementError` for anything else."""
    if not isinstance(record, Mapping):
        raise MeasurementError("not a JSON object")
    for name in record:
        if name not in _TYPES:
            raise MeasurementError(f"no measurement has a field {name!r}")
    for name in ("model", "device", "ms"):
        if name not in record:
            raise MeasurementError(f"{name!r} is missing")
    values = {name: _typed(name, value) for name, value in record.items()}
    values["kernels"] = tuple(_kernel(kernel) for kernel in values.get("kernels", ()))
    values["notes"] = tuple(_note(note) for note in values.get("notes", ()))
    return Measurement(**values)


_NUMBER = (float, int)
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("model", "device", "sha256", "statistic", "accelerator", "method"), (str,)
    ),
    **dict.fromkeys(("tool_version", "date"), (str,)),
    **dict.fromkeys(("ms", "std_ms"), _NUMBER),
    **dict.fromkeys(("runs", "delegated_ops", "total_ops", "partitions"), (int,)),
    "delegated": (bool,),
    "kernels": (list,),
    "notes": (list,),
}  # fmt: skip


def _typed(name: str, value: Any) -> Any:
    types = _TYPES[name]
    # Python counts True as an int; a run time of "true" is a mistake all the same.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise MeasurementError(f"{name} is {value!r}, not {' or '.join(t.__name__ for t in types)}")
    return value


def _kernel(record: Any) -> KernelTime:
    match record:
        case {"name": str(name), "ms": float() | int() as ms} if not isinstance(ms, bool):
            return KernelTime(name, ms)
    raise MeasurementError(f"{record!r} is no kernel time")


def _note(note: Any) -> str:
    if not isinstance(note, str):
        raise MeasurementError(f"{note!r} is no note")
    return note


def _one_of(model: str, name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise MeasurementError(f"{model}: {name} {value!r} is none of {', '.join(known)}")

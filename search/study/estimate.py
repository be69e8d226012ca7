"""What is known of a candidate before it is trained: run time, size, and whether it may run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from latency import LatencyEstimate, LatencyOracle
from latency.partition import OUTSIDE
from search.networks import candidate
from search.tasks import Task
from spaces.architecture import Architecture


@dataclass(frozen=True)
class Estimate:
    """The oracle's word on one architecture at the task's resolution.

    `runtime_ms` with its 90 % interval `low_ms`..`high_ms`, all predicted. `refusals`:
    why the GPU would not run it: memory, or the ops that the delegate would leave to the
    CPU. `notes`: the oracle's reservations, such as sizes outside the range it was fitted on.
    """

    runtime_ms: float
    low_ms: float
    high_ms: float
    gmac: float
    parameters: int
    kernels: int
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For storage."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Estimate:
        """Inverse of `to_dict`."""
        lists = {name: tuple(fields[name]) for name in ("refusals", "notes")}
        return cls(**{**fields, **lists})


def estimate(architecture: Architecture, task: Task, oracle: LatencyOracle) -> Estimate:
    """Trace, lower and predict: about a millisecond, no TensorFlow."""
    height, width, _ = task.input_shape
    graph = candidate(architecture).trace(height, width)
    latency = oracle.predict(graph)
    return Estimate(
        runtime_ms=latency.ms,
        low_ms=latency.low_ms,
        high_ms=latency.high_ms,
        gmac=graph.macs / 1e9,
        parameters=graph.parameters,
        kernels=len(latency.kernels),
        refusals=refusals(latency),
        notes=latency.notes,
    )


def refusals(latency: LatencyEstimate) -> tuple[str, ...]:
    """What speaks against running the network on the GPU: memory, and ops left to the CPU.

    Ops that the delegate refuses come before those that are left with them.
    """
    refused_first = sorted(latency.fallbacks, key=lambda fallback: fallback.reason == OUTSIDE)
    ops = tuple(f"op {f.op_index} {f.kind}: {f.reason}" for f in refused_first)
    return (latency.failure, *ops) if latency.failure else ops


def infeasible_reason(known: Estimate, max_runtime_ms: float | None) -> str | None:
    """Why the candidate must not be trained, or None."""
    if known.refusals:
        return f"not for this GPU: {known.refusals[0]}"
    if max_runtime_ms is not None and known.runtime_ms > max_runtime_ms:
        return f"predicted {known.runtime_ms:.3g} ms, over the budget of {max_runtime_ms:g} ms"
    return None

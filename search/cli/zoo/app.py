"""The `lensnas zoo` command group, and what its commands share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from spaces.zoo import ZooSystem

app = typer.Typer(no_args_is_help=True)


def systems_of(task: str | None) -> Iterator[ZooSystem]:
    """Of one task, or of all; UserError for a task that is not there."""
    from search.tasks import TASKS
    from spaces.zoo import ZOO

    if task is not None and task not in TASKS:
        raise UserError(f"unknown task {task!r}: choose one of {', '.join(TASKS)}")
    return (ZOO[name] for name in ZOO if task in (None, ZOO[name].task))


def find_system(name: str) -> ZooSystem:
    """UserError for a name that is not there."""
    from spaces.zoo import ZOO

    if name not in ZOO:
        raise UserError(f"no zoo system called {name!r}; there are: {', '.join(ZOO)}")
    return ZOO[name]


def document_of(system: ZooSystem) -> dict[str, Any]:
    """One system as JSON: published figures as printed, run time on the challenge's phone."""
    from latency import LatencyOracle
    from latency.partition import OUTSIDE
    from search.tasks import TASKS

    device = TASKS[system.task].device
    graph = system.trace()
    estimate = LatencyOracle(device).predict(graph)
    published = system.published
    return {
        "name": system.name,
        "task": system.task,
        "title": system.title,
        "confidence": system.confidence,
        "note": system.note,
        "parameters": system.parameters,
        "gmac": graph.macs / 1e9,
        "published": {
            "team": published.team,
            "size_mb": published.size_mb,
            "gpu_ms": published.gpu_ms,
            "psnr_db": published.psnr_db,
            "score": published.score,
        },
        "device": device,
        "predicted_ms": estimate.ms,
        "low_ms": estimate.low_ms,
        "high_ms": estimate.high_ms,
        "cpu_ops": len(estimate.fallbacks),
        "cpu_share": estimate.fallback_ms / estimate.ms,
        "refused": sorted(
            {f"{f.kind}: {f.reason}" for f in estimate.fallbacks if f.reason != OUTSIDE}
        ),
        "failure": estimate.failure,
        "architecture": system.architecture.choices if system.architecture else None,
    }


def cells_of(document: dict[str, Any]) -> Iterator[str]:
    """A row of `lensnas zoo list`; the last cell is the predicted run time."""
    published = document["published"]
    yield document["name"]
    yield document["confidence"]
    yield _count(document["parameters"])
    yield short(document["gmac"])
    for key in ("size_mb", "gpu_ms"):
        yield "" if published[key] is None else f"{published[key]:g}"
    ms, low, high = (short(document[key]) for key in ("predicted_ms", "low_ms", "high_ms"))
    if document["failure"]:
        yield "expected to fail"
    else:
        yield "mostly on the CPU" if document["cpu_share"] > 0.5 else f"{ms} ({low}-{high})"


def short(number: float) -> str:
    """Three digits."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _count(number: int) -> str:
    for unit, symbol in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {symbol}"
    return str(number)

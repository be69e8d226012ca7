"""`lensnas zoo`: the published systems, beside what the oracle predicts for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from search.export.source import Precision
    from spaces.zoo import ZooSystem

app = typer.Typer(no_args_is_help=True)

_MULTIPLE = 32
"""Every system halves its input at most five times."""


@app.command("list")
def list_systems(
    task: Annotated[str | None, typer.Option(help="isp or bokeh; both without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """List the systems: published figures, rebuilt cost, predicted run time."""
    import json

    documents = [_document(system) for system in _systems(task)]
    if as_json:
        print(json.dumps(documents, indent=2))
    else:
        _print_tables(documents)


@app.command()
def build(
    name: Annotated[str, typer.Argument(help="A system, see 'lensnas zoo list'.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .tflite file to write.")],
    resolution: Annotated[
        str | None, typer.Option(help="Input HxW; the challenge's without it.")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32 or fp16.")] = "fp32",
) -> None:
    """Write NAME as a .tflite file with random weights, to time it on a phone."""
    system = _find(name)
    height, width = _resolution(resolution, system)
    graph = system.trace((height, width))  # refuses what is too small, before the slow imports

    from search.artifacts import write_bytes
    from search.export.source import known_precision
    from search.study.quiet import native_stderr_hidden

    known = known_precision(precision)
    with native_stderr_hidden():
        file = _random_file(system, (height, width), known)
    write_bytes(output, file)
    print(
        f"wrote {output}: {system.title}, random weights, "
        f"{height}x{width}x{system.input_shape[2]} input, "
        f"{graph.macs / 1e9:.3f} GMAC, {len(file):,} bytes"
    )


def _random_file(system: ZooSystem, size: tuple[int, int], precision: Precision) -> bytes:
    import numpy as np

    from search.export.convert import convert
    from spaces.ops.keras_backend import Network

    channels = system.input_shape[2]
    model = Network(system.network, channels)
    rng = np.random.default_rng(0)
    for variable in model.variables:
        # The converter folds away what adds zero or multiplies by one, and shares equal weights:
        # initial values would make a file that is smaller and faster than a trained one.
        variable.assign(variable + rng.normal(scale=0.05, size=variable.shape))
    return convert(model, (*size, channels), precision)


def _systems(task: str | None) -> Iterator[ZooSystem]:
    from search.tasks import TASKS
    from spaces.zoo import ZOO

    if task is not None and task not in TASKS:
        raise UserError(f"unknown task {task!r}: choose one of {', '.join(TASKS)}")
    return (ZOO[name] for name in ZOO if task in (None, ZOO[name].task))


def _find(name: str) -> ZooSystem:
    from spaces.zoo import ZOO

    if name not in ZOO:
        raise UserError(f"no zoo system called {name!r}; there are: {', '.join(ZOO)}")
    return ZOO[name]


def _resolution(text: str | None, system: ZooSystem) -> tuple[int, int]:
    if text is None:
        return system.input_shape[0], system.input_shape[1]
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise UserError(f"resolution {text!r}: write HxW, like 544x960")
    sides = int(height), int(width)
    if min(sides) < 1 or any(side % _MULTIPLE for side in sides):
        raise UserError(f"resolution {text!r}: height and width must be multiples of {_MULTIPLE}")
    return sides


def _document(system: ZooSystem) -> dict[str, Any]:
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
        "refused": sorted(
            {f"{f.kind}: {f.reason}" for f in estimate.fallbacks if f.reason != OUTSIDE}
        ),
        "failure": estimate.failure,
        "architecture": system.architecture.choices if system.architecture else None,
    }


def _print_tables(documents: list[dict[str, Any]]) -> None:
    """One table a task; 80 columns hold it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for task in dict.fromkeys(document["task"] for document in documents):
        rows = [document for document in documents if document["task"] == task]
        title = f"{task}, predicted on {rows[0]['device']}"
        table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for column in ("system", "confidence"):
            table.add_column(column, no_wrap=True)
        for column in ("weights", "GMAC", "MiB*", "ms*", "predicted ms"):
            table.add_column(column, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*_cells(row))
        console.print(table)
    console.print(_CAPTION)
    for document in documents:
        if document["failure"]:
            console.print(f"{document['name']}: {document['failure']}.")
        elif document["refused"]:
            reasons = "; ".join(document["refused"])
            console.print(f"{document['name']}: {document['cpu_ops']} ops on the CPU. {reasons}.")


def _cells(document: dict[str, Any]) -> Iterator[str]:
    published = document["published"]
    yield document["name"]
    yield document["confidence"]
    yield _count(document["parameters"])
    yield _short(document["gmac"])
    for key in ("size_mb", "gpu_ms"):
        yield "" if published[key] is None else f"{published[key]:g}"
    ms, low, high = (_short(document[key]) for key in ("predicted_ms", "low_ms", "high_ms"))
    yield "expected to fail" if document["failure"] else f"{ms} ({low}-{high})"


_CAPTION = (
    "* as printed in the challenge reports: size of the file, run time on the GPU. Predictions "
    "have 90 % intervals; the profiles were fitted to all bokeh systems and to the isp systems "
    "of exact and high confidence, jmu_cvlab excepted."
)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _count(number: int) -> str:
    for unit, symbol in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {symbol}"
    return str(number)

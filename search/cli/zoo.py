"""`lensnas zoo`: the published systems, beside what the oracle predicts for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from search.export.source import Precision
    from search.leaderboard import Budget, Entry
    from search.tasks import Task
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


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A system, see 'lensnas zoo list'.")],
) -> None:
    """The card of NAME: what is known, what was assumed, how it was and is trained."""
    import json

    from rich.console import Console

    document = _document(_find(name))
    system = _find(name)
    published, console = document["published"], Console(highlight=False)
    *_, predicted = _cells(document)
    console.print(f"[bold]{system.title}[/bold] ({system.name}, {system.task})")
    lines = {
        "confidence": f"{system.confidence}. {system.note}",
        "network": f"{system.parameters:,} parameters, {system.trace().macs / 1e9:.3f} GMAC, input "
        + "x".join(map(str, system.input_shape)),
        "published": "; ".join(f"{key} {value}" for key, value in published.items() if value)
        or "never submitted",
        "predicted": f"{predicted}{' ms' * predicted[0].isdigit()} on {document['device']}",
        "on the GPU": document["failure"] or "; ".join(document["refused"]) or "whole",
        "training": system.training,
        "recipe": json.dumps(system.recipe),
    }
    for key, text in lines.items():
        console.print(f"[dim]{key:11}[/dim]{text}", soft_wrap=True)


@app.command()
def score(
    task: Annotated[str, typer.Option(help="isp or bokeh.")] = "isp",
    budget: Annotated[
        str, typer.Option(help="Training time of each, such as 60s or 5m; or steps: 600steps.")
    ] = "60s",
    systems: Annotated[
        str | None, typer.Option(help="Some systems only, separated by commas.")
    ] = None,
    data: Annotated[Path, typer.Option(help="Where sample data are kept or made.")] = Path(
        "runs/data"
    ),
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Weights of a perceptual loss: vgg19=FILE or vgg19=imagenet."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Results are kept here, and used again.")
    ] = Path("runs/zoo"),
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Train every system of TASK by its own recipe under one budget, on sample data.

    Prints a leaderboard beside the published figures. PSNR on sample data is not the
    challenge's. A distilled system's teacher is trained on top of its budget.
    """
    import dataclasses
    import json

    from search.data.sample import prepare_sample
    from search.leaderboard import leaderboard
    from search.tasks import TASKS

    chosen = [_find(name.strip()) for name in systems.split(",")] if systems else [*_systems(task)]
    for system in chosen:
        if system.task != task:
            raise UserError(f"{system.name} is a system of {system.task}, not of {task}")
    allowed = _budget(budget, seed)
    perceptual = _perceptual_weights(weights or [])
    root = prepare_sample(TASKS[task].name, data, seed=0)
    entries = []
    for entry in leaderboard(chosen, TASKS[task], root, allowed, perceptual, output / task):
        entries.append(entry)
        done = f"{len(entries)} of {len(chosen)}"
        result = entry.problem or f"{entry.psnr_db:.2f} dB after {entry.steps:,} steps"
        print(f"{done}: {entry.system}: {result}", file=sys.stderr, flush=True)
    if as_json:
        documents = [
            {**dataclasses.asdict(entry), "log2_score": entry.log2_score(TASKS[task])}
            for entry in entries
        ]
        print(json.dumps(documents, indent=2))
    else:
        _print_leaderboard(entries, TASKS[task], budget)


def _budget(text: str, seed: int) -> Budget:
    from search.leaderboard import Budget

    for suffix, factor in (("steps", 0.0), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        number = text.removesuffix(suffix)
        if number == text:
            continue
        if factor and _positive(number):
            return Budget(seconds=float(number) * factor, steps=None, seed=seed)
        if number.isdecimal() and int(number) > 0:
            return Budget(seconds=None, steps=int(number), seed=seed)
    raise UserError(f"budget {text!r}: write seconds (60s), minutes (5m) or steps (600steps)")


def _positive(text: str) -> bool:
    import math

    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def _perceptual_weights(pairs: list[str]) -> dict[str, str]:
    from search.training.recipe import PERCEPTUAL_NAMES

    weights = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if name not in PERCEPTUAL_NAMES or not equals:
            raise UserError(f"weights {pair!r}: write one of {', '.join(PERCEPTUAL_NAMES)}=FILE")
        if path != "imagenet" and not Path(path).is_file():
            raise UserError(f"weights {pair!r}: no such file")
        weights[name] = path
    return weights


def _print_leaderboard(entries: list[Entry], task: Task, budget: str) -> None:
    """Best score first; those without one, best PSNR first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from spaces.zoo import ZOO

    console = Console()
    table = Table(
        title=f"{task.name}, {budget} of training each on sample data",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("system", no_wrap=True)
    for column in ("steps", "dB", "ms", "score**", "dB*", "ms*", "score*"):
        table.add_column(column, justify="right", no_wrap=True)
    scores = [score for entry in entries if (score := entry.log2_score(task)) is not None]
    best = max(scores, default=0.0)

    def rank(entry: Entry) -> tuple[float, float]:
        score = entry.log2_score(task)
        return (-(score if score is not None else -1e9), -(entry.psnr_db or 0.0))

    for entry in sorted(entries, key=rank):
        published = ZOO[entry.system].published
        score = entry.log2_score(task)
        table.add_row(
            entry.system,
            "" if entry.steps is None else f"{entry.steps:,}",
            "" if entry.psnr_db is None else f"{entry.psnr_db:.2f}",
            _short(entry.runtime_ms or 0) if entry.runs_on_gpu else "not on GPU",
            "" if score is None else f"{2 ** (score - best):.2g}",
            *(
                "" if value is None else f"{value:g}"
                for value in (published.psnr_db, published.gpu_ms, published.score)
            ),
        )
    console.print(table)
    console.print(
        "* as printed in the challenge report, trained to the end on the challenge's data. "
        "** relative to the best here: PSNR on sample data and predicted run time are not the "
        "challenge's."
    )
    for entry in entries:
        if entry.problem:
            console.print(f"{entry.system}: not trained: {entry.problem}.")
    without = [entry.system for entry in entries if entry.left_out]
    if without:
        console.print(f"Without their perceptual losses (--weights): {', '.join(without)}.")


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
        "cpu_share": estimate.fallback_ms / estimate.ms,
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
    if document["failure"]:
        yield "expected to fail"
    else:
        yield "mostly on the CPU" if document["cpu_share"] > 0.5 else f"{ms} ({low}-{high})"


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

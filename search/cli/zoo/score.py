"""`lensnas zoo score`: the published systems trained under one budget, and ranked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError

from .app import app, find_system, short, systems_of

if TYPE_CHECKING:
    from search.leaderboard import Budget, Entry
    from search.tasks import Task


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
        typer.Option(help="Of vgg19, resnet50, mobilenet_v2: vgg19=FILE or vgg19=imagenet."),
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option(help="Measure LPIPS too, by the weights in this .npz: docs/losses.md."),
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
    from search.training.lpips_weights import read_lpips_weights

    chosen = (
        [find_system(name.strip()) for name in systems.split(",")]
        if systems
        else [*systems_of(task)]
    )
    for system in chosen:
        if system.task != task:
            raise UserError(f"{system.name} is a system of {system.task}, not of {task}")
    allowed = _budget(budget, seed)
    perceptual = _perceptual_weights(weights or [])
    if lpips is not None:
        read_lpips_weights(lpips)
    root = prepare_sample(TASKS[task].name, data, seed=0)
    entries = []
    for entry in leaderboard(chosen, TASKS[task], root, allowed, perceptual, output / task, lpips):
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
    from search.training.recipe import PERCEPTUAL_NAMES, can_be_had

    weights = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if name not in PERCEPTUAL_NAMES or not equals:
            raise UserError(f"weights {pair!r}: write one of {', '.join(PERCEPTUAL_NAMES)}=FILE")
        if not can_be_had(path):
            raise UserError(f"weights {pair!r}: no such file")
        weights[name] = path
    return weights


def _number(value: float | None, form: str = "g") -> str:
    return "" if value is None else format(value, form)


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
    measured = any(entry.lpips is not None for entry in entries)
    printed = measured and any(ZOO[entry.system].published.lpips is not None for entry in entries)
    ours = ("steps", "dB", *(["LPIPS"] if measured else []), "ms", "score**")
    theirs = ("dB*", *(["LPIPS*"] if printed else []), "ms*", "score*")
    for column in (*ours, *theirs):
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
            *([_number(entry.lpips, ".4f")] if measured else []),
            short(entry.runtime_ms or 0) if entry.runs_on_gpu else "not on GPU",
            "" if score is None else f"{2 ** (score - best):.2g}",
            _number(published.psnr_db),
            *([_number(published.lpips)] if printed else []),
            _number(published.gpu_ms),
            _number(published.score),
        )
    console.print(table)
    console.print(
        "* as printed in the challenge report, trained to the end on the challenge's data. "
        "** relative to the best here: PSNR on sample data and predicted run time are not the "
        "challenge's." + (" LPIPS: lower is better." if measured else "")
    )
    for entry in entries:
        if entry.problem:
            console.print(f"{entry.system}: not trained: {entry.problem}.")
    without = [entry.system for entry in entries if entry.left_out]
    if without:
        console.print(f"Without their perceptual losses (--weights): {', '.join(without)}.")

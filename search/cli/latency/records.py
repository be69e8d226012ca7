"""What the commands that write measurements share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from latency.measurements import Measurement

Output = Annotated[
    Path,
    typer.Option("-o", "--output", help="JSON Lines file that measurements are appended to."),
]


def recorded(output: Path) -> list[Measurement]:
    """What the file holds already; nothing where there is none yet."""
    from latency.measurements import read_measurements

    return read_measurements(output) if output.exists() else []


def with_hashes(measurements: list[Measurement], folder: Path) -> list[Measurement]:
    """With the hashes of the model files in `folder` that have the measured models' names."""
    from latency.measurements.files import file_sha256, model_files

    hashes = {path.stem: file_sha256(path) for path in model_files([folder])}
    missing = sorted({m.model for m in measurements if not m.sha256 and m.model not in hashes})
    if missing:
        raise UserError(f"{folder} has no {', '.join(f'{name}.tflite' for name in missing)}")
    return [m if m.sha256 else replace(m, sha256=hashes[m.model]) for m in measurements]


def print_measurements(measurements: list[Measurement]) -> None:
    """A table of the measurements, and below it their notes."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    if not measurements:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model")
    table.add_column("device")
    table.add_column("on", no_wrap=True)
    for column in ("ms", "spread", "runs", "kernels"):
        table.add_column(column, justify="right", no_wrap=True)
    for m in measurements:
        spread = "" if m.spread is None else f"{m.spread:.1%}"
        runs = "" if m.runs is None else str(m.runs)
        table.add_row(
            m.model, m.device, m.accelerator, f"{m.ms:.3f}", spread, runs, str(len(m.kernels) or "")
        )
    Console().print(table)
    for m in measurements:
        for note in m.notes:
            print(f"note: {m.model}: {note}")

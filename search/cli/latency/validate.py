"""`lensnas latency validate`: how well the oracle predicts what it was not fitted on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.arguments import AsJson
from search.errors import UserError

from .app import app

if TYPE_CHECKING:
    from latency.validation import Accuracy


@app.command()
def validate(
    train: Annotated[Path, typer.Option(help="Folder of measurements to fit on.")],
    test: Annotated[
        Path | None, typer.Option(help="Folder to test on; default: parts held out of --train.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Also write the table as JSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit on one part of real measurements, predict the rest, and print the errors.

    Folders hold end_to_end.csv, kernels.csv.gz and graphs.json.gz as in the
    mobile-ml-benchmark. Beside the oracle stand run time from MACs alone and from a roofline.
    """
    from dataclasses import asdict

    from latency.dataset import read_dataset
    from latency.graph import GraphError
    from latency.validation import validate as evaluate

    try:
        rows = evaluate(read_dataset(train), read_dataset(test) if test else None)
    except GraphError as error:
        raise UserError(str(error)) from None
    text = json.dumps([asdict(row) for row in rows], indent=2)
    if output:
        try:
            output.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {output}: {error.strerror}") from None
    if as_json:
        print(text)
    else:
        _print(rows)


def _print(rows: list[Accuracy]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("device", "question", "predictor"):
        table.add_column(column)
    for column in ("nets", "MAPE", "worst", "<5 %", "<10 %", "Spearman", "in 90 %", "kernel"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.device, row.question, row.predictor, str(row.networks),
            f"{row.mape:.1%}", f"{row.worst:.0%}", f"{row.within_5:.0%}", f"{row.within_10:.0%}",
            f"{row.spearman:.3f}", _share(row.coverage), _share(row.kernel_mape),
        )  # fmt: skip
    table.caption = (
        "MAPE: mean |predicted / measured - 1| of run time; in 90 %: share inside the 90 % "
        "interval; kernel: MAPE of single kernels"
    )
    table.caption_justify = "left"
    Console().print(table)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"

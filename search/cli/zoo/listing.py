"""`lensnas zoo list`: the published systems, beside what the oracle predicts for them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .app import app, cells_of, document_of, systems_of


@app.command("list")
def list_systems(
    task: Annotated[str | None, typer.Option(help="isp or bokeh; both without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """List the systems: published figures, rebuilt cost, predicted run time."""
    import json

    documents = [document_of(system) for system in systems_of(task)]
    if as_json:
        print(json.dumps(documents, indent=2))
    else:
        _print_tables(documents)


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
            table.add_row(*cells_of(row))
        console.print(table)
    console.print(_CAPTION)
    for document in documents:
        if document["failure"]:
            console.print(f"{document['name']}: {document['failure']}.")
        elif document["refused"]:
            reasons = "; ".join(document["refused"])
            console.print(f"{document['name']}: {document['cpu_ops']} ops on the CPU. {reasons}.")


_CAPTION = (
    "* as printed in the challenge reports: size of the file, run time on the GPU. Predictions "
    "have 90 % intervals; the profiles were fitted to all bokeh systems and to the isp systems "
    "of exact and high confidence, jmu_cvlab excepted."
)

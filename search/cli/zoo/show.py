"""`lensnas zoo show`: the card of a published system."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import app, cells_of, document_of, find_system


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A system, see 'lensnas zoo list'.")],
) -> None:
    """The card of NAME: what is known, what was assumed, how it was and is trained."""
    import json

    from rich.console import Console

    system = find_system(name)
    document = document_of(system)
    published, console = document["published"], Console(highlight=False)
    *_, predicted = cells_of(document)
    console.print(f"[bold]{system.title}[/bold] ({system.name}, {system.task})")
    lines = {
        "confidence": f"{system.confidence}. {system.note}",
        "network": f"{system.parameters:,} parameters, {document['gmac']:.3f} GMAC, input "
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

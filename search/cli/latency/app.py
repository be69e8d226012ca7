"""The `lensnas latency` command group, and what several of its commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from latency import Graph

app = typer.Typer(no_args_is_help=True)

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A .tflite file.")]
Device = Annotated[
    str, typer.Option(help="A device, see 'lensnas latency devices', or a .toml profile.")
]


def read_model(model: Path) -> Graph:
    """The graph of a .tflite file. Raises `UserError` where there is none."""
    from latency import read_tflite
    from latency.graph import GraphError

    try:
        return read_tflite(model)
    except OSError as error:
        raise UserError(f"cannot read {model}: {error.strerror}") from None
    except GraphError as error:
        raise UserError(f"{model}: {error}") from error

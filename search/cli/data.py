"""`lensnas data`: prepare the sample data set, inspect any data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from search.data.inspect import Inspection

app = typer.Typer(help="Prepare the sample data set; inspect any data set.", no_args_is_help=True)


class TaskChoice(StrEnum):
    """Tasks that sample data exists for."""

    ISP = "isp"
    BOKEH = "bokeh"


class DatasetChoice(StrEnum):
    """Data sets that can be read."""

    SAMPLE = "sample"
    FUJIFILM = "fujifilm"
    ZURICH = "zurich"
    EBB = "ebb"


@app.command()
def prepare(
    task: Annotated[TaskChoice, typer.Option(help="Which sample data set.")] = TaskChoice.ISP,
    root: Annotated[Path, typer.Option(help="Directory of prepared data sets.")] = Path(
        "runs/data"
    ),
    seed: Annotated[int, typer.Option(help="Decides split, cameras and noise.")] = 0,
    train: Annotated[int | None, typer.Option(help="Training pairs.")] = None,
    val: Annotated[int | None, typer.Option(help="Validation pairs.")] = None,
    patch: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 256,
    photos: Annotated[
        Path | None, typer.Option(help="Your own folder of JPEG or PNG photographs.")
    ] = None,
    debian: Annotated[
        bool, typer.Option("--debian", help="Download two Debian packages of photographs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Generate a sample data set from photographs (14 are built in); nothing if it exists."""
    from search.data.debian import debian_photos
    from search.data.pairs import read_description
    from search.data.photographs import folder_photos
    from search.data.sample import prepare_sample

    if photos and debian:
        raise UserError("give either --photos or --debian, not both")
    chosen = debian_photos() if debian else nullcontext(folder_photos(photos) if photos else None)
    with chosen as photo_set, _progress() as progress:
        directory = prepare_sample(
            task.value,
            root,
            seed=seed,
            train=train,
            val=val,
            patch=patch,
            photos=photo_set,
            progress=progress,
        )
    description = read_description(directory)
    if as_json:
        _print_json({"directory": str(directory), **description})
        return
    typer.echo(f"{description['dataset']}: {directory}")
    for name, psnr_db in description["baselines_psnr_db"].items():
        typer.echo(f"  baseline {psnr_db:.2f} dB  {name} (sample data, validation)")


@app.command()
def inspect(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Root of the data set.")],
    dataset: Annotated[
        DatasetChoice | None, typer.Option(help="Which data set; default: detect.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet, e.g. sheet.png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every pair of a data set and report; the exit code is 1 if files are broken."""
    from search.data.inspect import inspect_directory

    with _progress() as progress:
        found = inspect_directory(directory, dataset.value if dataset else None, progress)
    written = _write_sheet(found, sheet) if sheet else None
    if as_json:
        _print_json({**found.to_dict(), "sheet": str(written) if written else None})
    else:
        typer.echo(found.to_text(), nl=False)
        if written:
            typer.echo(f"contact sheet ({found.dataset}): {written}")
    if found.broken:
        raise typer.Exit(1)


def _write_sheet(found: Inspection, path: Path) -> Path:
    """Of the validation split where there is one, without the broken pairs."""
    from search.data.inspect import write_contact_sheet

    source, report = found.sources[-1], found.reports[-1]
    without = getattr(source, "without", None)
    return write_contact_sheet(without(report.broken) if without else source, path)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr, only where that is a terminal: stdout stays for the result."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def update(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bars.add_task(split, total=total)
            bars.update(tasks[split], completed=done)

        yield update


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, indent=2))

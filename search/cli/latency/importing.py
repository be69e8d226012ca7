"""`lensnas latency import`: run times that other tools measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.arguments import AsJson
from search.errors import UserError

from .app import app
from .records import Output, print_measurements, recorded, with_hashes

if TYPE_CHECKING:
    from latency.measurements import Measurement


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Logs and tables, or folders of them.")
    ],
    output: Output,
    device: Annotated[
        str | None, typer.Option(help="The device, for files that do not say.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(help="gpu, cpu or npu, for files that do not say.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help="benchmark-model, op-profile, litert, ai-hub or csv; default: find out."),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder of the .tflite files, to record their hashes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import run times from logs and profiles of other tools: all files, or on an error none."""
    from dataclasses import asdict

    from latency.measurements import append_measurements, import_measurements, join_profiles

    known = set(recorded(output))
    found: list[Measurement] = []
    for file in _files(files):
        found += import_measurements(file, format, device=device, accelerator=accelerator)
    found = join_profiles(found)
    if models:
        found = with_hashes(found, models)
    new = [measurement for measurement in dict.fromkeys(found) if measurement not in known]
    append_measurements(output, new)
    if as_json:
        print(json.dumps([asdict(measurement) for measurement in new], indent=2))
        return
    print_measurements(new)
    repeated = len(found) - len(new)
    print(f"{len(new)} imported into {output}" + (f", {repeated} were there" if repeated else ""))


def _files(paths: list[Path]) -> list[Path]:
    """The files, and those in the folders, sorted; hidden ones are not meant."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            if not inside:
                raise UserError(f"{path} holds no files")
            files += inside
        else:
            files.append(path)
    return files

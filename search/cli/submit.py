"""`lensnas submit`: the archive that a challenge takes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .arguments import AsJson, Bundle, Precision


def submit(
    bundle: Bundle,
    data: Annotated[
        Path, typer.Option(help="A data set, whose validation part is run, or a folder of inputs.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The archive, a .zip file.")],
    precision: Precision = None,
    device: Annotated[
        str | None, typer.Option(help="Whose measured run time, where there are several devices'.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Pack what a challenge asks for: model.tflite, its pictures, and the score.

    The run time is the measured one where a phone's GPU measured the file ('lensnas latency
    measure'), else the predicted one; the text says which.
    """
    from search.export.record import read_bundle
    from search.submission.archive import submit as pack

    done = pack(read_bundle(bundle), data, output, precision=precision, device=device)
    if as_json:
        print(json.dumps({**asdict(done), "path": str(done.path)}, indent=2))
    else:
        print(
            f"{done.path}: model.tflite, {done.pictures} pictures, score.txt\n\n{done.text}", end=""
        )

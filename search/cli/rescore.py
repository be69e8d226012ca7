"""`lensnas rescore`: a study by measured run times, or by another device profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from search.errors import UserError

from .arguments import RUNS, AsJson, Runs, StudyArgument, load_results

Bundles = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[BUNDLE]...", help="Measured exports; default: those of the study."),
]


def rescore(
    study: StudyArgument,
    bundles: Bundles = None,
    device: Annotated[
        str | None, typer.Option(help="Whose measurements, where there are several devices'.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(help="gpu or cpu, where there are both.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="Predict with this device or .toml profile instead of the study's."),
    ] = None,
    runs: Runs = RUNS,
    as_json: AsJson = False,
) -> None:
    """Score a study by the run times that were measured of its exports.

    Networks that were measured are ranked by that, apart from those that are only predicted. With
    --profile all run times are predicted anew, for example by a profile that was calibrated with
    the measurements. Nothing that the study has stored is changed.
    """
    from latency import LatencyOracle, load_profile
    from search.export.record import MEASUREMENTS, is_bundle
    from search.report.measured import read_measured, repriced, rescored_table

    results = load_results(study, runs)
    if not bundles:
        found = sorted(results.config.directory.glob(f"*/{MEASUREMENTS}"))
        bundles = [path.parent for path in found if is_bundle(path.parent)]
        if not bundles and profile is None:
            raise UserError(
                f"no export of {results.config.name} was measured: see lensnas latency measure"
            )
    if profile is not None:
        results = repriced(results, LatencyOracle(load_profile(profile)))
    rows = read_measured(results, bundles, device, accelerator)
    predicted_for = profile or results.config.device
    if as_json:
        document = {
            "study": results.config.name,
            "predicted_for": predicted_for,
            "rows": [row.to_dict() for row in rows],
        }
        print(json.dumps(document, indent=2))
    else:
        from rich.console import Console

        Console().print(rescored_table(results, rows, predicted_for))

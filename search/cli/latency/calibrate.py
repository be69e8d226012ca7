"""`lensnas latency calibrate`: a device profile from measurements."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError

from .app import app

if TYPE_CHECKING:
    from latency.calibrate import CalibrationRow, Candidate
    from latency.measurements import Measurement


@app.command()
def calibrate(
    measurements: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Measurements, see 'measure', 'import'.")
    ],
    models: Annotated[Path, typer.Option(help="Folder of the .tflite files that were measured.")],
    gpu: Annotated[
        str, typer.Option(help="The device's GPU, e.g. 'Adreno 740', 'Mali-G710 MP7', or 'cpu'.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The profile to write (.toml).")],
    device: Annotated[
        str | None, typer.Option(help="Which device of the files, if they have several.")
    ] = None,
) -> None:
    """Fit a device profile to measured run times, and say how well it predicts.

    Several models are tried: kernel times of the device itself where they were profiled, those
    of known GPUs rescaled, and plain prices. The one that best predicts networks it did not see
    is written; 'lensnas latency predict --device FILE.toml' and studies take it from there.
    """
    from latency.calibrate import calibrate as fit
    from latency.gpu_names import gpu_named
    from latency.graph import GraphError
    from latency.measurements.choice import of_one_method
    from latency.profile import lender_names, load_lender, write_profile

    if output.suffix != ".toml":
        raise UserError(f"{output}: a profile's name ends in .toml")
    try:
        chip = gpu_named(gpu)
        taken = of_one_method(_read(measurements), device)
        rows = _rows(taken, models)
        candidates = fit(
            output.stem,
            chip,
            rows,
            [load_lender(name) for name in lender_names()],
            source=_source(taken, measurements),
            hardware={"gpu": gpu, "measured_as": taken[0].device},
        )
        write_profile(candidates[0].profile, output)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from None
    except GraphError as error:
        raise UserError(str(error)) from None
    _print(candidates, output)


def _read(paths: list[Path]) -> list[Measurement]:
    from latency.measurements import read_measurements

    return [measurement for path in paths for measurement in read_measurements(path)]


def _rows(taken: list[Measurement], models: Path) -> list[CalibrationRow]:
    """Each measurement with the graph of its file; the last of several of one model counts."""
    from latency.calibrate import CalibrationRow
    from latency.measurements.files import file_sha256

    from .app import read_model

    paths = sorted(models.glob("**/*.tflite"))
    # Bundles call their files alike: where a hash was recorded, it and not the name finds one.
    named = {path.stem: path for path in paths}
    hashed = {file_sha256(path): path for path in paths}
    missing = sorted({m.model for m in taken if m.sha256 not in hashed} - named.keys())
    if missing:
        raise UserError(f"{models} has no {missing[0]}.tflite ({len(missing)} models missing)")
    for m in taken:
        if m.sha256 and m.sha256 not in hashed:
            raise UserError(f"{named[m.model]} is not the file that was measured")
    timed = {m.sha256 or m.model: m for m in taken if m.statistic != "kernel_sum"}
    names = Counter(m.model for m in timed.values())
    return [
        CalibrationRow(
            m.model if names[m.model] == 1 else f"{m.model} {key[:8]}",
            read_model(hashed[m.sha256] if m.sha256 else named[m.model]),
            m.ms,
            m.std_ms or 0.0,
            tuple(kernel.ms for kernel in m.kernels),
        )
        for key, m in timed.items()
    ]


def _source(taken: list[Measurement], files: list[Path]) -> str:
    names = ", ".join(path.name for path in files)
    return f"{len(taken)} measurements of {taken[0].device} ({taken[0].method}) in {names}"


def _print(candidates: list[Candidate], output: Path) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    best = candidates[0]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("held-out error", justify="right")
    for candidate in candidates:
        table.add_row(candidate.name, f"{candidate.error:.1%}")
    table.caption = "rms of log(predicted / measured), each network predicted from the others"
    table.caption_justify = "left"
    Console().print(table)
    fit = best.profile.fit
    print(
        f"wrote {output}: {best.name}, {len(fit.rows)} networks, 90 % of run times are expected "
        f"within {fit.interval_factor:.2f} x of the prediction"
    )

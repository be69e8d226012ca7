"""`lensnas export`: a trained network as files for the phone."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError
from search.export.variant import (
    DEFAULT_FRAMES,
    DEFAULT_PRECISIONS,
    DEFAULT_QUANTISATION,
    PRECISIONS,
    Quantisation,
    known_precision,
)

from . import remote
from .arguments import RUNS, AsJson, Runs, load_results
from .errors import FAILED
from .remote import Server
from .verifying import verify_bundle

if TYPE_CHECKING:
    from search.export.bundle import Bundle
    from search.study.results import StudyResults


@dataclass(frozen=True)
class Wanted:
    """What is to be written, and how. `resolutions`: of pictures, as 1920x1080."""

    precisions: tuple[str, ...] = DEFAULT_PRECISIONS
    resolutions: tuple[str, ...] = ()
    images: int = DEFAULT_FRAMES
    force: bool = False
    quantisation: Quantisation = DEFAULT_QUANTISATION


def export(
    study: Annotated[
        str | None,
        typer.Argument(metavar="STUDY", help="A study file, or the name of a study that was run."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The folder to write; default: export of the study, or training."
        ),
    ] = None,
    trial: Annotated[
        int | None, typer.Option(help="The number of a trial; default: the winner.")
    ] = None,
    trained: Annotated[
        Path | None, typer.Option(help="A folder of 'lensnas train' to export instead.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help=f"Some of {', '.join(PRECISIONS)}, with commas.")
    ] = ",".join(DEFAULT_PRECISIONS),
    resolution: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WxH",
            help="Of the picture, as 1920x1080; may be repeated; default: the challenge's.",
        ),
    ] = None,
    calibration_images: Annotated[
        int, typer.Option(min=1, max=10_000, help="Training crops for the ranges of 8-bit files.")
    ] = DEFAULT_QUANTISATION.images,
    qat_steps: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Training steps in 8 bits, for int8_qat.")
    ] = DEFAULT_QUANTISATION.steps,
    images: Annotated[
        int, typer.Option(min=1, max=100, help="Full frames to verify each file on, at most.")
    ] = DEFAULT_FRAMES,
    force: Annotated[
        bool, typer.Option("--force", help="Write the files even if a check fails.")
    ] = False,
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="Check an export again instead; with STUDY on its data, too.",
        ),
    ] = None,
    runs: Runs = RUNS,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Export a trained network as .tflite files for the phone, with a report and a model card.

    Every file is run and compared with the trained network before anything is written.
    With --verify a bundle is checked again, later and anywhere.

    Exit codes: 1 where a check fails (without --force), 2 for what you can mend.
    """
    precisions = tuple(known_precision(name) for name in precision.split(","))
    how = Quantisation(calibration_images, qat_steps)
    wanted = Wanted(precisions, tuple(resolution or ()), images, force, how)
    if verify is not None:
        if wanted != Wanted(images=images) or any((trial is not None, trained, output, server)):
            raise UserError(
                "--verify takes a bundle as it is: of the other options only STUDY, --images, "
                "--runs and --json go with it"
            )
        verify_bundle(verify, study, runs, images, as_json=as_json)
        return
    if study is None:
        raise UserError("name the STUDY to export, or a bundle to check again (--verify)")
    if trained is not None and (trial is not None or server is not None):
        raise UserError(
            "--trained is of this machine and names its network: without --trial, --server"
        )
    if server is not None:
        if wanted != Wanted():
            raise UserError(
                "precisions, resolutions, their settings and --force are for this machine, a "
                "server has its own"
            )
        written = remote.export(server, study, output or Path(f"{study}-export"), trial)
        print("\n".join(map(str, written)))
        return
    from search.study.directories import EXPORT

    results = load_results(study, runs)
    folder = output or (trained or results.config.directory) / EXPORT
    bundle = make_bundle(results, trial, folder, wanted, trained)
    if as_json:
        print(json.dumps(bundle.to_dict(), indent=2))
    else:
        print(bundle.summary())


def make_bundle(
    results: StudyResults,
    trial: int | None,
    output: Path,
    wanted: Wanted,
    trained: Path | None = None,
) -> Bundle:
    """Export to the folder `output`; what can be refused is, before TensorFlow is loaded."""
    from search.export.placing import check_place
    from search.export.resolution import input_sizes
    from search.export.source import fully_trained, read_weights, trained_weights
    from search.networks import candidate
    from search.study.quiet import native_stderr_hidden

    check_place(output)
    if trained is None:
        source = trained_weights(results, trial)
    else:
        results, source = fully_trained(results, trained)
    read_weights(source)
    network = candidate(source.architecture)
    sizes = input_sizes(wanted.resolutions, results.config.task_facts, network)
    with native_stderr_hidden():
        from search.export.bundle import VerificationError, export_trial

        try:
            return export_trial(
                results,
                output,
                source=source,
                precisions=wanted.precisions,
                sizes=sizes,
                images=wanted.images,
                force=wanted.force,
                quantisation=wanted.quantisation,
            )
        except VerificationError as error:
            failure = error
    print(f"error: {failure}", file=sys.stderr)
    raise typer.Exit(FAILED)

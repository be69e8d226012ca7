"""`lensnas run`, `studies`, `show` and `report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.errors import UserError

from . import remote
from .arguments import RUNS, AsJson, Runs, StudyArgument, load_results
from .export import Wanted, make_bundle
from .remote import Server

if TYPE_CHECKING:
    from search.config import StudyConfig
    from search.full_training.record import TrainingRecord
    from search.live.studies import StudyOverview
    from search.report.measured import RescoredRow
    from search.study.results import StudyResults

StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY", help="A study file, as studies/quickstart_isp.yaml.")
]


def add_commands(app: typer.Typer) -> None:
    """Register this module's commands on the root command."""
    for command in (run, studies, show, report):
        app.command()(command)


def run(
    study: StudyFile,
    trials: Annotated[
        int | None,
        typer.Option(help="Candidates to train in all, earlier runs included; default: the file's"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trials at a time; default: the file's.")
    ] = None,
    runner: Annotated[
        str | None, typer.Option(help="local, or ray: docs/cluster.md; default: the file's.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster's head, HOST:PORT, or auto; default: the file's."),
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Then write the report and export the winner.")
    ] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Run the study of a YAML file, or go on where it stopped.

    Ctrl-C stops it and loses nothing that was finished: run the same command again to go on.

    Exit codes: 0 when the study is done, 2 for what you can mend, 130 after Ctrl-C.
    """
    from rich.console import Console

    from search.config import load_config
    from search.study.directories import EXPORT
    from search.study.driver import run_study

    from .progress import ConsoleObserver

    options = {"trials": trials, "workers": workers, "runner": runner, "address": address}
    given = {name: value for name, value in options.items() if value is not None}
    if server is not None:
        if finish:
            raise UserError("--finish is for this machine: lensnas export --server comes after")
        _show(remote.run(server, study, given), as_json)
        return
    config = _overridden(load_config(study), given)
    console = Console(stderr=True)
    with ConsoleObserver(console, config) as observer:
        results = run_study(config, observer)
    document = _results_document(results)
    if not as_json:
        _print_tables(results)
    if finish:
        bundle = make_bundle(results, None, config.directory / EXPORT, Wanted())
        written = _write_report(results, config.directory / "report.html")
        document |= {"report": str(written), "export": bundle.to_dict()}
        if not as_json:
            print(f"{bundle.summary()}\nReport: {written}")
    if as_json:
        _print_json(document)
    elif not finish:
        console.print(f"Next: lensnas report {study}, lensnas export {study}", soft_wrap=True)


def studies(runs: Runs = RUNS, server: Server = None, as_json: AsJson = False) -> None:
    """List the studies that were run, or that a server has."""
    from search.documents import study_document
    from search.live.studies import LiveStudies

    studies = LiveStudies(runs).overview() if server is None else remote.client(server).studies()
    for study in studies:
        if study.task is None:
            print(f"warning: left out {study.name}: {study.message}", file=sys.stderr)
    found = [study for study in studies if study.task is not None]
    if as_json:
        _print_json([study_document(study) for study in found])
    elif found:
        _print_studies(found)
    elif server is not None:
        print(f"No studies at {server}.")
    else:
        print(f"No studies under {runs}: start one with 'lensnas run', or give --runs.")


def show(
    study: StudyArgument,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every trial to a CSV file instead.")
    ] = None,
    runs: Runs = RUNS,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Print a study's best networks, its Pareto set and the published results."""
    results = load_results(study, runs) if server is None else remote.results(server, study)
    if csv is not None:
        from search.artifacts import write_bytes
        from search.study.frame import trials_frame

        write_bytes(csv, trials_frame(results).to_csv(index=False).encode())
    else:
        from search.full_training.record import trainings_of

        _show(results, as_json, trainings_of(results.config) if server is None else {})


def report(
    study: StudyArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The HTML file; default: report.html of the study."),
    ] = None,
    measured: Annotated[
        list[Path] | None, typer.Option(help="A measured export to show too; may be repeated.")
    ] = None,
    runs: Runs = RUNS,
) -> None:
    """Write a study's report: one HTML file that opens anywhere."""
    from search.report.measured import read_measured

    results = load_results(study, runs)
    rows = read_measured(results, measured) if measured else []
    path = output or results.config.directory / "report.html"
    print(f"Report: {_write_report(results, path, rows)}")


def _overridden(config: StudyConfig, given: dict[str, Any]) -> StudyConfig:
    """The study with what was said on the command line instead of in its file."""
    from search.config import parse_config

    if not given:
        return config
    document = config.model_dump(mode="json")
    for name, value in given.items():
        if name == "address":
            document["runner"]["address"] = value
        elif name == "runner":
            settings = {} if value == "local" else document["runner"]
            document["runner"] = settings | {"kind": value}
        else:
            document[name] = value
    return parse_config(document, ", ".join(f"--{name}" for name in given))


def _write_report(results: StudyResults, path: Path, measured: Sequence[RescoredRow] = ()) -> Path:
    from search.report.page import write_report

    return write_report(results, path, measured)


def _show(
    results: StudyResults, as_json: bool, trainings: Mapping[str, TrainingRecord] | None = None
) -> None:
    if as_json:
        _print_json(_results_document(results, trainings))
    else:
        _print_tables(results, trainings)


def _results_document(
    results: StudyResults, trainings: Mapping[str, TrainingRecord] | None = None
) -> dict[str, Any]:
    from search.documents import results_document

    return results_document(results, trainings)


def _print_tables(
    results: StudyResults, trainings: Mapping[str, TrainingRecord] | None = None
) -> None:
    from rich.console import Console

    from search.report.tables import leaderboard_table, pareto_table
    from search.report.trained import trained_table

    console = Console()
    console.print(leaderboard_table(results))
    console.print(pareto_table(results))
    if trainings:
        console.print(trained_table(results, trainings))


def _print_studies(found: list[StudyOverview]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("study", "state", "task", "device", "data", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("trained", justify="right")
    table.add_column("best score*", justify="right")
    for study in found:
        best = study.best_log2_score
        shown = "" if best is None else f"{2.0**best:.4g}"
        progress = f"{study.trained} of {study.trials}"
        table.add_row(
            study.name, study.state, study.task, study.device, study.dataset, progress, shown
        )
    table.caption = "* after brief training, on the study's data, with predicted run time"
    table.caption_justify = "left"
    Console().print(table)


def _print_json(document: Any) -> None:
    print(json.dumps(document, indent=2))

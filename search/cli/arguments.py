"""Arguments that several commands take, and the study that one of them names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from search.config import StudyConfig
    from search.study.results import StudyResults

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of tables, for scripts.")
]
StudyArgument = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="A study file, or the name of a study that was run."),
]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder of 'lensnas export'.")]
Precision = Annotated[
    str | None, typer.Option(help="Which file of the bundle; default: the first.")
]
RUNS = Path("runs")
Runs = Annotated[Path, typer.Option("--runs", help="The folder that studies are kept in.")]


def load_results(study: str, runs: Path) -> StudyResults:
    """Results of a study file or of a stored study's name."""
    from search.config import load_config
    from search.study.database import is_missing, own_url
    from search.study.results import read_results
    from search.study.storage import load_study, url_of

    if study.endswith((".yaml", ".yml")):
        wanted = load_config(Path(study))
        url, name, output = wanted.storage_url, wanted.name, wanted.output
        hint = f"run it first: lensnas run {study}"
    else:
        output, name = runs, study
        url = url_of(output / name) or own_url(output / name)
        hint = "see 'lensnas studies', or give its file or --runs"
    if is_missing(url):
        raise UserError(f"no study {name!r} has been run under {output}: {hint}")
    stored, config = load_study(url, name)
    # Its folder may have been moved, or was named from another directory.
    return read_results(stored, _kept_in(config, output))


def _kept_in(config: StudyConfig, output: Path) -> StudyConfig:
    return config.model_copy(update={"output": output})

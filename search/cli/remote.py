"""The commands with `--server`: the same words, of a study that a server runs."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.errors import UserError

from .errors import FAILED, INTERRUPTED

if TYPE_CHECKING:
    from search.service.client import Client
    from search.service.wire import Progress, TrialDocument
    from search.study.results import StudyResults

Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Of 'lensnas serve', which has the study; its token is read from LENSNAS_TOKEN.",
    ),
]


def client(url: str) -> Client:
    """Of the server at `url`."""
    from search.service.client import Client

    return Client(url)


def run(server: str, file: Path, given: dict[str, Any]) -> StudyResults:
    """Have the server run a study file, and tell how it goes; its results.

    One that is queued or runs there already is watched. `given`: settings instead of the file's.
    """
    import yaml

    from search.config import read_document
    from search.service.client import RefusedError

    # Whether its settings are right, the server says, which has the data.
    document = _with(read_document(file), given)
    ours, name = client(server), str(document.get("name"))
    try:
        ours.submit(yaml.safe_dump(document).encode())
    except RefusedError as error:
        states = {study.name: study.state for study in ours.studies()}
        if error.status != 409 or states.get(name) not in ("queued", "running"):
            raise
    try:
        _follow(ours, name)
    except KeyboardInterrupt:
        print(f"the study goes on at {ours.url}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    return ours.results(name)


def results(server: str, study: str) -> StudyResults:
    """All of a study, by its name or its file."""
    from search.config import read_document

    if study.endswith((".yaml", ".yml")):
        study = str(read_document(Path(study)).get("name"))
    return client(server).results(study)


def export(server: str, study: str, output: Path, trial: int | None) -> list[Path]:
    """Have the server make a bundle, and unpack it into `output`; the files."""
    from search.artifacts import write_bytes

    content = client(server).export(study, trial)
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile:
        raise UserError(f"what {server} sent is no bundle") from None
    files = {
        output / _place(entry.filename): archive.read(entry)
        for entry in archive.infolist()
        if not entry.is_dir()
    }
    for path, content in files.items():
        write_bytes(path, content)
    return list(files)


def _place(name: str) -> Path:
    """Of a bundle's file in its folder, by its name alone: nothing is written elsewhere, whatever
    the archive says."""
    from search.export.record import PICTURES

    *_, folder, last = ("", *PurePosixPath(name).parts)
    return Path(PICTURES, last) if folder == PICTURES else Path(last)


def _follow(ours: Client, name: str) -> None:
    said = ""
    for progress in ours.watch(name):
        for trial in progress.trials:
            if trial.status in ("complete", "pruned", "failed"):
                print(_line(trial), file=sys.stderr)
        now = _state(progress)
        if now != said:
            print(now, file=sys.stderr)
        said = now
        if progress.overview.state == "failed":
            print(f"error: {progress.overview.message}", file=sys.stderr)
            raise typer.Exit(FAILED)


def _state(progress: Progress) -> str:
    study = progress.overview
    return f"{study.name}: {study.state}, {study.trained} of {study.trials} trained"


def _line(trial: TrialDocument) -> str:
    if trial.psnr_db is None or trial.estimate is None:
        return f"trial {trial.number}: {trial.status}: {trial.reason}"
    runtime_ms = trial.estimate.runtime_ms
    return f"trial {trial.number}: {trial.psnr_db:.2f} dB, {runtime_ms:.3g} ms predicted"


def _with(document: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    changed = document | {k: v for k, v in given.items() if k in ("trials", "workers")}
    runner = {"kind" if k == "runner" else k: given[k] for k in ("runner", "address") if k in given}
    if runner:
        changed["runner"] = runner
    return changed

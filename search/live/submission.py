"""A submitted study: its file, and what is wanted of it, in the study's own folder.

Two small files, each written whole or not at all, are all that the service remembers. Whether a
study runs its locks tell, and how far it is its storage.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from search.artifacts import write_bytes

STUDY_FILE = "study.yaml"
SUBMISSION = "submission.json"
LOG = "run.log"
"""What the study's `lensnas run` said."""
INTERRUPTED = 130
"""The exit code of a run that Ctrl-C has ended."""


@dataclass(frozen=True)
class Submission:
    """`wanted`: it is to run until it ends by itself. `queued_s`: since when, in seconds of the
    epoch; the first comes first. `exit_code` and `message`: how its last run ended, and what it
    said last; None where none has ended."""

    queued_s: float
    wanted: bool = True
    exit_code: int | None = None
    message: str | None = None


_SUBMISSION = TypeAdapter(Submission)


def read_submission(directory: Path) -> Submission | None:
    """Of the study in this folder; None where it was not submitted."""
    file = directory / SUBMISSION
    try:
        return _SUBMISSION.validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return Submission(0.0, wanted=False, exit_code=2, message=f"{file} is damaged")


def write_submission(directory: Path, submission: Submission) -> None:
    """Replace what is wanted of the study in this folder."""
    write_bytes(directory / SUBMISSION, json.dumps(asdict(submission)).encode())

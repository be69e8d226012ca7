"""The `lensnas` commands that the service runs, each a process of its own, and their logs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from search.artifacts import log_tail

from .problems import ConflictError

COMMAND = (sys.executable, "-m", "search.cli.main")


def start_run(study_file: Path, log: Path) -> subprocess.Popen[bytes]:
    """`lensnas run` of a study. It outlives the server, and is interrupted as one group."""
    with log.open("ab") as said:
        return subprocess.Popen(
            [*COMMAND, "run", str(study_file)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, "COLUMNS": "120"},
            start_new_session=True,
        )


def interrupt(pid: int) -> None:
    """SIGINT to the process and, as a terminal does, to its group where it leads one.

    Raises ConflictError where it is not ours to interrupt.
    """
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGINT)
        else:
            os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        return  # It has ended by itself.
    except PermissionError:
        raise ConflictError(f"process {pid} belongs to another user: stop it there") from None


def last_words(exit_code: int, log: Path) -> str | None:
    """Why a process ended: its error, which it said last, or the signal that ended it."""
    if exit_code < 0:
        return f"its process was ended by signal {-exit_code}: {signal.strsignal(-exit_code)}"
    lines = log_tail(log, 4000).strip().splitlines() if exit_code else []
    return lines[-1].removeprefix("error: ") if lines else None

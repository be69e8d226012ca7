"""Exit codes, and every error as one line."""

from __future__ import annotations

from latency.graph import GraphError
from search.errors import UserError

OK = 0
FAILED = 1
"""The program itself failed, or a check that was asked for found something."""
USER_ERROR = 2
"""Something in the call, the study file, the data or the machine that the user can mend."""
INTERRUPTED = 130
"""Ended by Ctrl-C or SIGTERM, cleanly: run the same command again to go on."""


def explain(error: BaseException) -> tuple[str, int]:
    """What to print for `error`, in one line, and the exit code."""
    known = _of_the_call(error) or _of_the_input(error) or _of_the_machine(error)
    if known:
        return f"error: {_one_line(known)}", USER_ERROR
    message = _one_line(f"{type(error).__name__}: {error}")
    return f"error: internal: {message} (lensnas --debug ... shows where)", FAILED


def _of_the_call(error: BaseException) -> str | None:
    """A mistake in the command line; known by its method, for typer carries a copy of click."""
    describe = getattr(error, "format_message", None)
    if describe is None:
        return None
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context else ""
    return f"{describe().strip().rstrip('.')}{hint}"


def _of_the_input(error: BaseException) -> str | None:
    return str(error) if isinstance(error, UserError | GraphError) else None


def _of_the_machine(error: BaseException) -> str | None:
    """A full disk, a missing permission, a broken storage: whichever layer it came through."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    database = getattr(error, "orig", None)  # SQLAlchemy's errors carry the database's.
    if database is not None:
        return f"the study's storage cannot be read or written: {database}"
    return _of_the_machine(error.__cause__) if error.__cause__ is not None else None


def _one_line(text: str) -> str:
    return " ".join(text.split())

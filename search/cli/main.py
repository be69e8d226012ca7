"""The `lensnas` command. Heavy imports happen inside the commands, so that help is instant."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated

import typer

from . import dashboard, data, latency, serve, studies, zoo
from .errors import INTERRUPTED, OK, USER_ERROR, explain
from .export import export
from .render import render
from .rescore import rescore
from .submit import submit
from .train import train

app = typer.Typer(
    name="lensnas",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help=(
        "Neural architecture search for the small image networks in phone cameras, "
        "with a model of the phone's GPU that predicts run time before training.\n\n"
        "Start with: lensnas run studies/quickstart_isp.yaml"
    ),
)
studies.add_commands(app)
app.command()(train)
app.command()(export)
app.command()(dashboard.dashboard)
app.command()(serve.serve)
app.command()(render)
app.command()(rescore)
app.command()(submit)
app.add_typer(data.app, name="data", help="Prepare sample data; inspect real data sets.")
app.add_typer(latency.app, name="latency", help="Predict run times on a phone's GPU.")
app.add_typer(zoo.app, name="zoo", help="Published networks of the two challenges.")

_debug = False


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lensnas {importlib.metadata.version('lensnas')}")
        raise typer.Exit(OK)


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, and TensorFlow's log.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""
    global _debug
    _debug = debug
    if debug:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"


def main() -> None:
    """Entry point: errors are one line on stderr, exit codes those of `errors`."""
    _end_like_ctrl_c()
    sys.exit(_run())


def _run() -> int:
    try:
        code: int = app(standalone_mode=False) or OK
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            return USER_ERROR  # Its help is printed already.
        if _debug:
            traceback.print_exc()
        message, code = explain(error)
        print(message, file=sys.stderr)
    if code == INTERRUPTED:
        print(
            "interrupted: what was finished is stored, run the same command again to go on",
            file=sys.stderr,
        )
    return code


def _end_like_ctrl_c() -> None:
    """SIGTERM and a closed terminal end a command as cleanly as Ctrl-C does."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, interrupt)


if __name__ == "__main__":
    main()

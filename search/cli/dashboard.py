"""`lensnas dashboard`."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Annotated

import typer

from search.errors import UserError

from .arguments import RUNS, Runs

PORT = 8081
Study = Annotated[
    str | None, typer.Argument(metavar="[STUDY]", help="A study to begin with; default: the list.")
]


def dashboard(
    study: Study = None,
    runs: Runs = RUNS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = PORT,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open it in the browser of this machine.")
    ] = True,
) -> None:
    """Show studies live in a browser of this machine; Ctrl-C ends it.

    It only reads, and may be started beside running studies as often as you like.
    """
    import webbrowser

    import uvicorn

    from search.dashboard.app import HOST, dashboard
    from search.dashboard.view import study_url
    from search.live.studies import LiveStudies

    studies = LiveStudies(runs)
    if study is not None:
        studies.results(study)  # Refuses an unknown name before there is a server.
    with _listening(HOST, port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}{study_url(study) if study else '/'}"
        print(f"Dashboard of {runs}: {address} (Ctrl-C ends it)", flush=True)
        if open_browser:
            webbrowser.open(address)
        settings = uvicorn.Config(dashboard(studies), log_level="warning", lifespan="off")
        # Ctrl-C is how it ends.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(settings).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """Raises UserError where the port cannot be had."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise UserError(
            f"cannot listen on port {port}: {error.strerror}; choose another --port, or 0 for any"
        ) from None

"""`lensnas serve`: studies over HTTP."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import RUNS, Runs

if TYPE_CHECKING:
    from search.service.settings import Settings


def serve(
    runs: Runs = RUNS,
    host: Annotated[
        str, typer.Option(help="The address to listen on; other than loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    new_token: Annotated[
        bool,
        typer.Option(
            "--new-token", help="Make a token, print it once, and end. Earlier ones end with it."
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name under which browsers may reach it; repeatable."),
    ] = None,
    proxy: Annotated[
        bool,
        typer.Option("--proxy", help="Believe X-Forwarded headers of a proxy on this machine."),
    ] = False,
    data_root: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Submitted studies may read it; repeatable."),
    ] = None,
    allow_storage: Annotated[
        bool, typer.Option("--allow-storage", help="Submitted studies may name a PostgreSQL.")
    ] = False,
    allow_ray: Annotated[
        bool, typer.Option("--allow-ray", help="Submitted studies may use a Ray cluster.")
    ] = False,
    at_a_time: Annotated[int, typer.Option(min=1, help="Studies that run at once.")] = 1,
    most_workers: Annotated[
        int, typer.Option(min=1, help="Workers that a submitted study may have; default: CPUs.")
    ] = os.cpu_count() or 1,
) -> None:
    """Serve the studies of a folder over HTTP: run, watch, stop and export them from afar.

    Studies that run go on when the server ends, and are found again by the next one.
    """
    from search.service.settings import Settings
    from search.service.tokens import new_token as make_token

    if new_token:
        runs.mkdir(parents=True, exist_ok=True)
        print(make_token(runs))
        print("This is shown once. Servers that run keep the old one.", file=sys.stderr)
        return
    settings = Settings(
        runs=runs,
        host=host,
        port=port,
        hosts=tuple(allow_host or ()),
        proxy=proxy,
        data_roots=tuple(data_root or ()),
        storages=allow_storage,
        ray=allow_ray,
        at_a_time=at_a_time,
        most_workers=most_workers,
    )
    _serve(settings)


def _serve(settings: Settings) -> None:
    import uvicorn

    from search.service.app import create_app
    from search.service.settings import check_port, is_loopback
    from search.study.ownership import service_lock

    app = create_app(settings)
    check_port(settings)
    with service_lock(settings.runs):
        pass  # Another server is refused in one line; the application holds it from its start.
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    print(f"LensNAS serves {settings.runs} at {url} (API: {url}/api/v1)", file=sys.stderr)
    if settings.with_token:
        print("Every request needs the token.", file=sys.stderr)
    else:
        print("Everybody on this machine may use it: there is no token.", file=sys.stderr)
    if not is_loopback(settings.host):
        print(
            "warning: it listens beyond this machine, and not encrypted: put a proxy with TLS "
            "before it, or trust the network (docs/service.md)",
            file=sys.stderr,
        )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        server_header=False,
        ws="none",
        proxy_headers=settings.proxy,
        forwarded_allow_ips=["127.0.0.1", "::1"],  # Whatever the environment says.
        timeout_graceful_shutdown=2,  # Who watches events would never leave.
    )

"""What `lensnas serve` was told, and which combinations of it are refused."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from search.errors import UserError

from .tokens import check_token_file, token_file

SAMPLE_DATA = "data"
"""The folder under the runs in which studies without a `data.root` keep their sample data."""


@dataclass(frozen=True)
class Settings:
    """`data_roots`: folders whose files submitted studies may name. `storages`: whether studies
    may name a database; `ray`: whether they may run on a Ray cluster. `proxy`: a reverse proxy on
    this machine stands before the service, and its X-Forwarded headers are believed.
    `hosts`: names, besides the usual ones, under which browsers may reach it. `at_a_time`: studies
    that run at once; `most_workers`: of one study."""

    runs: Path
    host: str = "127.0.0.1"
    port: int = 8080
    hosts: tuple[str, ...] = ()
    proxy: bool = False
    data_roots: tuple[Path, ...] = ()
    storages: bool = False
    ray: bool = False
    at_a_time: int = 1
    most_workers: int = os.cpu_count() or 1

    @property
    def sample_root(self) -> Path:
        """Where studies keep their sample data."""
        return self.runs / SAMPLE_DATA

    @property
    def with_token(self) -> bool:
        """Whether callers need a token: once there is one."""
        return token_file(self.runs).exists()

    @property
    def known_hosts(self) -> frozenset[str]:
        """Names that a Host header may have; numbers are always believed."""
        own = {"localhost", socket.gethostname().lower()}
        return frozenset(own | {name.lower() for name in self.hosts})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a service bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_port(settings: Settings) -> None:
    """Raises UserError where nobody could listen there."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot listen on {settings.host}:{settings.port}: {reason}") from None


def check_settings(settings: Settings) -> None:
    """Refuse what is not safe. Raises UserError."""
    if settings.with_token:
        check_token_file(settings.runs)
    elif not is_loopback(settings.host):
        raise UserError(
            f"--host {settings.host} lets other machines in: that needs a token; make one with "
            "'lensnas serve --new-token'"
        )
    elif settings.proxy:
        raise UserError(
            "--proxy lets other machines in: that needs a token; make one with "
            "'lensnas serve --new-token'"
        )
    for root in settings.data_roots:
        _check_root(root, settings.runs)


def _check_root(root: Path, runs: Path) -> None:
    if not root.is_dir():
        raise UserError(f"--data-root {root} is not a folder")
    root, runs = root.resolve(), runs.resolve()
    if runs.is_relative_to(root):
        raise UserError(
            f"--data-root {root} holds the runs in {runs}: a study could read what others keep"
        )
    if root.is_relative_to(runs) and root != runs / SAMPLE_DATA:
        raise UserError(f"--data-root {root} lies in a study's folder under {runs}")

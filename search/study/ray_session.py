"""Joining a Ray cluster, or starting Ray on this machine, quietly and with errors of one line.

Importing this module does not import Ray.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from search.errors import UserError

from .pool import ending_signals_blocked

INSTALL = "pip install -e '.[ray]' -c constraints.txt"
TCP_SECONDS = 10
KNOCK_SECONDS = 90
"""A head that listens answers within a few; importing Ray takes the rest on a busy machine."""
ATTEMPTS, PAUSE_SECONDS = 3, 2
"""A cluster that has just begun, or is busy, may refuse the first."""
OBJECT_STORE_BYTES = 500_000_000
"""Of Ray on this machine alone: what does not fit goes to disk."""
_KNOCK = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False)"


def start_session(address: str | None) -> ModuleType:
    """Ray, connected to the cluster at `address` ("auto": this machine's), or to one of its own.

    `shutdown()` of it ends the driver's workers, and Ray where it was its own. Raises UserError
    where Ray is missing, or the cluster cannot be reached.
    """
    ray = _import_ray()
    if address is not None:
        _knock(address)
    before = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    if address is None:
        options |= {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    # Ray's own processes: the driver ends them, after its workers.
    with ending_signals_blocked():
        _initialise(ray, address, options)
    # What Ray has to say of a machine that died goes to stdout, which is for results.
    ray._private.worker.print_to_stdstream = _ignore
    if signal.getsignal(signal.SIGTERM) is not before:
        signal.signal(signal.SIGTERM, before)  # Ray's would end the driver without a word.
    return ray


def _initialise(ray: ModuleType, address: str | None, options: dict[str, Any]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            ray.init(address=address or "local", **options)
            return
        except Exception as error:  # Whatever Ray raises: which exceptions is documented nowhere.
            ray.shutdown()
            if attempt == ATTEMPTS:
                what = f"join the Ray cluster at {address}" if address else "start Ray here"
                raise UserError(f"cannot {what}: {_last_line(str(error))}") from None
            time.sleep(PAUSE_SECONDS)


def _import_ray() -> ModuleType:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if (
        _has_token()
    ):  # `ray start` then asks for it, and `ray.init` with an address does not give it.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError:
        raise UserError(f"the Ray runner needs Ray: {INSTALL}") from None
    return ray


def _ignore(*_: object, **__: object) -> None:
    """For messages that `RayPool` words itself."""


def _has_token() -> bool:
    """Whether the user has the password of a cluster where Ray looks for it."""
    named = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    return bool(named) or (Path.home() / ".ray" / "auth_token").exists()


def _knock(address: str) -> None:
    """Raises UserError where no cluster answers at `address`.

    A process of its own tries it, which can be ended: `ray.init` waits for ever.
    """
    if address != "auto":
        _connect(address)
    command = [sys.executable, "-c", _KNOCK, address]
    try:
        call = subprocess.run(command, capture_output=True, text=True, timeout=KNOCK_SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(f"no Ray cluster answers at {address}: is it the head's address?") from None
    if call.returncode:
        raise UserError(
            f"cannot join the Ray cluster at {address}: {_last_line(call.stderr)} "
            "(docs/cluster.md says how to start one)"
        )


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=TCP_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"no Ray cluster can be reached at {address}: {reason} "
            "(docs/cluster.md says how to start one)"
        ) from None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1].strip()[:300]

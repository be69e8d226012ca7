"""A PostgreSQL server of one's own: in a temporary folder, on loopback, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql")
RULES = """
local all postgres trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
"""
"""What a killed process has written stays with the kernel: only a power cut needs fsync."""


def missing():
    """Why there can be no server here, or None."""
    if _programs() is None:
        return "no PostgreSQL server is installed"
    if os.geteuid() == 0 and not (_account() and shutil.which("setpriv")):
        return "PostgreSQL refuses to run as root, and there is no account to run it as"
    return None


class Server:
    """A cluster with the users `lens`, and `guarded` who needs a password; both may make tables."""

    password = "a secret % of its own"

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lensnas-postgres-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.port = _free_port()
        self.process = None
        self._run(
            "initdb",
            "--no-sync",
            "--wal-segsize=1",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-D",
            self.data,
        )
        (self.data / "pg_hba.conf").write_text(RULES)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS + f"unix_socket_directories = '{self.folder}'\n")
            settings.write(f"port = {self.port}\n")
        self.start()
        self.sql("CREATE ROLE lens LOGIN")
        self.sql(f"CREATE ROLE guarded LOGIN PASSWORD '{self.password}'")

    @property
    def data(self):
        return self.folder / "data"

    def start(self):
        """Start it, and wait until it answers."""
        command = [*_as_postgres(), _programs() / "postgres", "-D", self.data]
        deadline = time.monotonic() + 60
        while True:
            with (self.folder / "log.txt").open("a") as log:
                self.process = subprocess.Popen(
                    command, stdout=log, stderr=log, start_new_session=True, cwd="/"
                )
            if self._answers(deadline):
                return
            # What a killed one left has not ended yet.
            assert time.monotonic() < deadline, (self.folder / "log.txt").read_text()[-2000:]

    def kill(self):
        """SIGKILL, as a power cut would; its sessions end with it."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """A fast shutdown: every session is ended."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def remove(self):
        self.process.send_signal(signal.SIGQUIT)  # At once, but its processes end before it.
        self.process.wait()
        shutil.rmtree(self.folder)

    def database(self, owner="lens"):
        """The URL of a new and empty database."""
        name = f"d{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} OWNER {owner}")
        return self.url(name, owner)

    def url(self, database, user="lens"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement, database="postgres"):
        """What psql answers to `statement` by the superuser, one line a row."""
        output = self._run(
            "psql", "-h", self.folder, "-p", self.port, "-U", "postgres", "-d", database,
            "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement,
        )  # fmt: skip
        return output.splitlines()

    def _answers(self, deadline):
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.sql("SELECT 1")
                return True
            time.sleep(0.05)
        return False

    def _run(self, program, *arguments):
        command = [*_as_postgres(), _programs() / program, *arguments]
        done = subprocess.run(
            [str(part) for part in command], check=True, capture_output=True, text=True, cwd="/"
        )
        return done.stdout


def _programs():
    versions = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _account():
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _as_postgres():
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

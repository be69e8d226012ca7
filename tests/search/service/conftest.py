"""A service in this process, and one of its own as its user has it."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from processes import wait_for
from tiny_study import tiny_study
from written_study import runs, written

from search.service.app import create_app
from search.service.settings import Settings
from search.service.tokens import new_token

__all__ = ["runs", "written"]
ROOT = Path(__file__).parents[3]
HOST = "http://localhost"


@pytest.fixture
def serve(runs):
    """Makes a client of an application that runs nothing: its lifespan has not begun."""

    def make(token=False, **settings):
        secret = new_token(runs) if token else None
        app = create_app(Settings(runs=runs, **settings))
        client = TestClient(app, base_url=HOST, raise_server_exceptions=False)
        client.token = secret
        return client

    return make


@pytest.fixture
def client(serve):
    return serve()


@pytest.fixture
def study_yaml():
    """The content of a tiny study's file."""

    def make(name="tiny", **changes):
        return yaml.safe_dump(tiny_study(name, changes)).encode()

    return make


@pytest.fixture
def submit(study_yaml):
    """Submits a tiny study, as YAML."""

    def send(client, name="tiny", content=None, **changes):
        body = study_yaml(name, **changes) if content is None else content
        kind = {"Content-Type": "application/yaml"}
        return client.post("/api/v1/studies", content=body, headers=kind)

    return send


@pytest.fixture
def refused():
    """Checks a problem: its status, one line, and parts of it."""

    def check(response, status, *parts):
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert body["status"] == status
        assert "\n" not in body["detail"]
        assert "Traceback" not in response.text
        for part in parts:
            assert part in body["detail"]

    return check


class Served:
    """`lensnas serve` in a process of its own, which may be killed and started again."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self, *options):
        command = [sys.executable, "-m", "search.cli.main", "serve", "--port", str(self.port)]
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        assert wait_for(self.answers, 60), (self.folder / "serve.log").read_text()

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def served(tmp_path):
    server = Served(tmp_path)
    yield server
    if server.process is not None:
        server.kill()

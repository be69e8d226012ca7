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

from search.config import parse_config
from search.service.app import create_app
from search.service.settings import Settings
from search.service.tokens import new_token
from search.study.job import Trained
from search.study.ledger import Ledger
from search.study.storage import create_or_resume, leave_url

ROOT = Path(__file__).parents[3]
HOST = "http://localhost"


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


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


class Written:
    """A study as its driver stores it, step by step, but with PSNRs of chance: nothing is
    trained."""

    def __init__(self, config, url=None):
        self.config = config
        if url is not None:
            self.config = config.model_copy(update={"storage": url})
        self.study = create_or_resume(self.config)
        leave_url(self.config)
        self.ledger = Ledger(self.study, self.config, self.config.sampling_context())

    def begin(self):
        """The next candidate, in training."""
        while True:
            asked = self.ledger.ask()
            known = self.config.sampling_context().estimate(asked.architecture)
            if self.ledger.judge(asked, known) is None:
                return asked, known

    def end(self, asked, known):
        psnr_db = 25.0 + asked.index
        seconds = {"total": 2.0, "cpu": 1.5}
        outcome = Trained("", ((6, psnr_db),), psnr_db, 0.8, None, 1000, seconds)
        return self.ledger.trained_ok(asked.trial, known, outcome)

    def trials(self, count):
        for _ in range(count):
            self.end(*self.begin())


@pytest.fixture
def written(runs):
    """Stores a study in the runs."""

    def make(name="tiny", trials=0, url=None, **changes):
        document = tiny_study(name, {"finals": None, **changes}, output=str(runs))
        study = Written(parse_config(document, "test"), url)
        study.trials(trials)
        return study

    return make


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

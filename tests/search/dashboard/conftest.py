"""A tiny study that was really run, the dashboard of it, and a browser that looks at it."""

import shutil
import threading
import time

import pytest
import uvicorn
from fastapi.testclient import TestClient
from tiny_study import tiny_study

from search.config import parse_config
from search.dashboard.app import dashboard
from search.live.studies import LiveStudies
from search.study.driver import run_study
from search.study.observer import Silent

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory, data_root):
    """A folder with the finished study "tiny": complete and infeasible trials, and finals."""
    runs = tmp_path_factory.mktemp("runs")
    changes = {
        "output": str(runs),
        "objective": {"kind": "pareto", "max_runtime_ms": 8.5},
        "data": {"root": str(data_root)},
    }
    run_study(parse_config(tiny_study("tiny", changes), "test"), Silent())
    return runs


@pytest.fixture
def runs(finished_runs, tmp_path):
    """A copy of them, to be changed."""
    return shutil.copytree(finished_runs, tmp_path / "runs")


@pytest.fixture
def client(finished_runs):
    """Asks the dashboard as a browser would, without one."""
    with TestClient(dashboard(LiveStudies(finished_runs)), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def serve():
    """serve(app) -> the address at which it listens until the end of the test."""
    running = []

    def start(app):
        server, thread = _started(app)
        running.append((server, thread))
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


def _started(app):
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server has not come up"
        time.sleep(0.02)
    return server, thread


@pytest.fixture
def address(finished_runs, serve):
    """Of the finished study's dashboard."""
    return serve(dashboard(LiveStudies(finished_runs)))


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium to open the pages in")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser, serve):
    """new_page(**options of the context) -> a page; what it complains of fails the test, but for
    texts with `but` in them.

    It needs `serve`, so that pages are closed before what they ask.
    """
    contexts, complaints = [], []

    def make(but="\0", **options):
        context = browser.new_context(**options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda m: (
                m.type in ("error", "warning") and but not in m.text and complaints.append(m.text)
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        return page

    yield make
    for context in contexts:
        context.close()
    # A page that is left while it asks for news breaks that request off.
    assert [c for c in complaints if not c.startswith("failed: ") or "/live" not in c] == []

"""The commands with `--server`, and `lensnas serve` as it is called."""

import json
import os
import socket
import urllib.request

import pytest

from search.service.client import TOKEN_VARIABLE


def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(terminal, until):
    """A server with a token; its URL."""
    token = terminal("serve", "--new-token")
    assert (token.returncode, len(token.stdout.split())) == (0, 1)
    os.environ[TOKEN_VARIABLE] = token.stdout.strip()
    url = f"http://127.0.0.1:{port()}"
    process = terminal.start("serve", "--port", url.rpartition(":")[2])

    def answers():
        try:
            return urllib.request.urlopen(f"{url}/health", timeout=5).status == 200
        except OSError:
            return False

    assert until(answers)
    yield url
    del os.environ[TOKEN_VARIABLE]
    process.terminate()
    out, said = process.communicate(timeout=60)
    assert out == ""
    assert said.splitlines()[0].endswith(f"{url} (API: {url}/api/v1)")
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_server_is_used_by_the_same_commands(terminal, server, refused):
    file = terminal.study("afar", finals=None)
    done = terminal("run", file, "--server", server, "--trials", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert "afar: finished, 1 of 1 trained" in done.stderr
    local = terminal("show", "afar", "--json")
    assert done.stdout == local.stdout
    assert terminal("show", "afar").stdout == terminal("show", file, "--server", server).stdout
    [listed] = json.loads(terminal("studies", "--server", server, "--json").stdout)
    assert (listed["study"], listed["state"], listed["trained"]) == ("afar", "finished", 1)
    written = terminal("export", "afar", "--server", server, "-o", "bundle")
    assert written.returncode == 0, written.stderr
    taken = terminal("serve", "--port", port())
    refused(taken, "another 'lensnas serve'")
    names = {path.name for path in (terminal.folder / "bundle").iterdir()}
    assert names >= {"model_fp32.tflite", "model_card.md", "pictures"}
    checked = terminal("export", "--verify", "bundle")
    assert (checked.returncode, checked.stderr) == (0, "")
    refused(terminal("show", "nobody", "--server", server), "nobody")
    refused(terminal("run", "none.yaml", "--server", server), "none.yaml")
    refused(terminal("run", file, "--server", server, "--finish"), "--finish")
    os.environ[TOKEN_VARIABLE] = "guess"
    refused(terminal("studies", "--server", server), "token")


def test_a_server_that_is_not_there_is_named(terminal, refused):
    url = f"http://127.0.0.1:{port()}"
    refused(terminal("studies", "--server", url), "no server answers at", url)
    refused(terminal("studies", "--server", "ftp://x"), "http://HOST:PORT")


def test_an_insecure_server_does_not_start(terminal, refused):
    refused(terminal("serve", "--host", "0.0.0.0"), "--new-token")


def test_a_port_that_is_taken_is_named(terminal, refused):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        refused(terminal("serve", "--port", other.getsockname()[1]), "cannot listen", "in use")

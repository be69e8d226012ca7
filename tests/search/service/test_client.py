"""What the client says where a server is not there, or is another one."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from search.errors import UserError
from search.service.client import TOKEN_VARIABLE, Client, RefusedError, UnreachableError


class Other(BaseHTTPRequestHandler):
    """A server that is none of ours: it gives each answer of `answers` once, and keeps the headers
    that it got."""

    def do_GET(self):
        self.server.got.append(dict(self.headers))
        status, headers, body = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def other():
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        server.answers, server.got = [], []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b'[{"name": "x"}]'])
def test_an_answer_of_another_server_is_one_line(other, body):
    other.answers.append((200, {}, body))
    with pytest.raises(UserError, match="of this version"):
        Client(other.url).studies()


def test_a_token_is_not_taken_elsewhere(other):
    other.answers += [(307, {"Location": f"{other.url}/away"}, b""), (200, {}, b"[]")]
    with pytest.raises(RefusedError, match="307"):
        Client(other.url, "secret").studies()
    assert [headers["Authorization"] for headers in other.got] == ["Bearer secret"]


def test_a_proxy_whose_server_is_restarted_is_waited_for(other):
    other.answers += [(502, {}, b""), (503, {}, b""), (404, {}, b'{"detail": "no study"}')]
    with pytest.raises(RefusedError, match="no study"):
        list(Client(other.url).watch("x"))
    assert other.answers == []


def test_a_token_is_read_as_it_was_pasted(other, monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, " secret\n")
    other.answers.append((200, {}, b"[]"))
    assert Client(other.url).studies() == []
    assert other.got[0]["Authorization"] == "Bearer secret"
    for wrong in ("sécret", "a\nb"):
        with pytest.raises(UserError, match=TOKEN_VARIABLE):
            Client(other.url, wrong)


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://x", "http://", "http://[::1", "http://x:99999", "http://x:y", "http://x?a"],
)
def test_what_is_no_server_is_refused(url):
    with pytest.raises(UserError, match="http://HOST:PORT"):
        Client(url)


def test_a_name_that_nobody_has_is_unreachable():
    with pytest.raises(UnreachableError, match=r"no-such-host\.invalid"):
        Client("http://no-such-host.invalid").studies()

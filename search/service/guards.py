"""What every request passes before anything is done for it."""

from __future__ import annotations

import ipaddress
import threading
import time
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

import anyio
from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import BusyError, problem
from .settings import Settings
from .tokens import Gate

COOKIE = "lensnas_session"
OPEN_PATHS = ("/health", "/login")
"""What needs no token."""
_READING = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    # Pages have their scripts and styles from here; plotly.js makes styles as it draws.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of answers that do not say otherwise."""


class Guard:
    """ASGI middleware: the host, where a change comes from, and who asks.

    - A name that is not ours in the Host header is refused: a page elsewhere, whose name was
      made to lead here (DNS rebinding), would read everything as its own.
    - A change is refused that a page of another origin asks for (CSRF). No CORS header is ever
      sent, so that such pages can read nothing either.
    - With a gate, all but `OPEN_PATHS` needs the token, or a browser's session.
    """

    def __init__(self, app: ASGIApp, settings: Settings, gate: Gate | None) -> None:
        self._app = app
        self._hosts = settings.known_hosts
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # There are no web sockets here.

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = _name_of(f"//{headers.get('host', '')}")
        if not self._is_ours(host):
            return problem(
                421, f"{host[:80]!r} is no name of this service (lensnas serve --allow-host NAME)"
            )
        if scope["method"] not in _READING and _is_foreign(headers):
            return problem(403, "a page of another origin may not change anything here")
        if self._gate is None or scope["path"] in OPEN_PATHS or _admitted(headers, self._gate):
            return None
        if scope["method"] in _READING and "text/html" in headers.get("accept", ""):
            wanted = URL(scope=scope)
            there = f"{wanted.path}?{wanted.query}" if wanted.query else wanted.path
            return RedirectResponse(f"/login?next={quote(there, safe='/')}", 303)
        needs = {"WWW-Authenticate": "Bearer"}
        return problem(401, "this needs the service's token: Authorization: Bearer TOKEN", needs)

    def _is_ours(self, host: str) -> bool:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host in self._hosts
        return True  # Nobody can make a number lead elsewhere.


class HeadAsGet:
    """ASGI middleware: HEAD is answered as GET is, without the body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        with anyio.CancelScope() as answering:

            async def send_start(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await send(message)
                    await send({"type": "http.response.body", "body": b""})
                    answering.cancel()  # A stream would have no end.

            await self._app({**scope, "method": "GET"}, receive, send_start)


class RateLimit:
    """At most `burst` requests of a client at once, and `per_s` in the long run."""

    MOST_CLIENTS = 10_000

    def __init__(self, burst: int, per_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}  # How many, and when that was counted.

    def take(self, client: str) -> None:
        """Count one. Raises BusyError where it is one too many."""
        now = time.monotonic()
        with self._lock:
            left, counted = self._left.pop(client, (float(self._burst), now))
            left = min(self._burst, left + (now - counted) * self._per_s)
            granted = left >= 1
            self._left[client] = (left - granted, now)
            if len(self._left) > self.MOST_CLIENTS:
                del self._left[next(iter(self._left))]
        if not granted:
            raise BusyError(f"too many requests: {self._per_s:g} a second are answered")


def session_of(headers: Headers) -> str | None:
    """The browser's secret, if it has one."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return cookie.value if cookie else None


def _admitted(headers: Headers, gate: Gate) -> bool:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and gate.knows(token.strip()):
        return True
    session = session_of(headers)
    return session is not None and gate.in_session(session)


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser says that a page of another origin asks. Other programs say nothing."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and _netloc(origin) != headers.get("host", "").lower()


def _netloc(url: str) -> str:
    """Host and port of a URL, "" where there are none."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _name_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""

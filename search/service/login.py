"""Browsers show the token once, in a form, and have a cookie for it."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from .bodies import media_type, read_body
from .guards import COOKIE, session_of
from .service import Service, client_of
from .tokens import SESSION_S, Gate

FORM = "application/x-www-form-urlencoded"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>LensNAS: log in</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
body {{ max-width: 24rem; margin: 15vh auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .5rem; width: 100%; box-sizing: border-box }}
button {{ margin-top: 1rem }}
</style></head><body><main><h1>LensNAS</h1>
<form method="post" action="/login">
<label for="token">The service's token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="next" value="{next}">
<p role="alert">{said}</p>
<button>Log in</button></form></main></body></html>
"""


def login_pages(service: Service, gate: Gate) -> APIRouter:
    """/login and /logout, for people."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    def form(next: str = "/") -> HTMLResponse:
        return _page(_local(next))

    @router.post("/login")
    async def login(request: Request) -> Response:
        service.logins.take(client_of(request))
        media_type(request, FORM)
        fields = parse_qs((await read_body(request, 4000)).decode("latin-1"))
        then = _local(fields.get("next", ["/"])[0])
        if not gate.knows(fields.get("token", [""])[0].strip()):
            return _page(then, "That is not the token.", 401)
        response = RedirectResponse(then, 303)
        response.set_cookie(
            COOKIE,
            gate.open_session(),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @router.post("/logout")
    def logout(request: Request) -> Response:
        session = session_of(request.headers)
        if session is not None:
            gate.close_session(session)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    return router


def _page(then: str, said: str = "", status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(next=escape(then), said=escape(said)), status)


def _local(path: str) -> str:
    """A path of this service: nobody is sent elsewhere after the login."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"

"""The dashboard alone, on this machine: `lensnas dashboard`."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from search.live.studies import LiveStudies

from .pages import error_page, pages

HOST = "127.0.0.1"
_NAMES_OF_THIS_MACHINE = [HOST, "localhost"]


def dashboard(studies: LiveStudies) -> FastAPI:
    """The application: pages that read, and nothing else.

    It answers to this machine's own names alone, so that no page of another name that was made to
    point here can read it.
    """
    app = FastAPI(openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_NAMES_OF_THIS_MACHINE)
    app.include_router(pages(studies))

    @app.exception_handler(HTTPException)
    def say(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        message = "There is no such page." if status == 404 else "Pages here can only be read."
        return error_page(request, status, message)

    return app

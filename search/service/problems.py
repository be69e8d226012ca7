"""Errors as application/problem+json (RFC 9457), each with the one line that the terminal shows."""

from __future__ import annotations

import errno
import http
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from latency import GraphError, ProfileError
from search.errors import UserError
from search.live.studies import StorageAwayError, UnknownStudyError

MEDIA_TYPE = "application/problem+json"


MOST_DETAIL = 1000
"""Characters: what was sent may be quoted in it."""


class Problem(BaseModel):
    """Why a request was refused."""

    title: str = Field(examples=["Not Found"])
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="one line for people")


class ConflictError(UserError):
    """What was asked for does not go with what the study is doing."""


class TooLargeError(UserError):
    """More was sent than is taken."""


class MediaTypeError(UserError):
    """What was sent is not of a kind that is taken here."""


class BusyError(UserError):
    """Too many requests: later."""


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownStudyError, 404),
    (StorageAwayError, 503),
    (ConflictError, 409),
    (TooLargeError, 413),
    (MediaTypeError, 415),
    (BusyError, 429),
    (UserError, 422),
    (GraphError, 422),
    (ProfileError, 422),
)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The response."""
    title = http.HTTPStatus(status).phrase
    line = " ".join(detail.split())
    body = Problem(title=title, status=status, detail=line[:MOST_DETAIL])
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Of a route, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": http.HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def handle_errors(app: FastAPI) -> None:
    """Every error of `app` is a problem, without a traceback."""

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def of_parameters(_: Request, error: RequestValidationError) -> JSONResponse:
        said = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        return problem(422, "; ".join(said))

    async def of_user(_: Request, error: Exception) -> JSONResponse:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        return problem(status, str(error), {"Retry-After": "1"} if status in (429, 503) else None)

    @app.exception_handler(OSError)
    async def of_the_disk(_: Request, error: OSError) -> JSONResponse:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        return problem(507, "no space is left on the service's disk: delete studies, or make room")

    for kind, _status in _STATUS:
        app.add_exception_handler(kind, of_user)

    @app.exception_handler(Exception)
    async def of_us(_: Request, error: Exception) -> JSONResponse:
        # The server's log has the traceback.
        return problem(500, "an error of the service itself: its log says more")

"""What clients send: counted while it comes in, so that nobody can fill the memory."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from search.errors import UserError

from .problems import MediaTypeError, TooLargeError

JSON = "application/json"
YAML = "application/yaml"
TFLITE = "application/octet-stream"
MOST_DOCUMENT_BYTES = 100_000
MOST_MODEL_BYTES = 64_000_000

M = TypeVar("M", bound=BaseModel)


def media_type(request: Request, *taken: str) -> str:
    """Of the body. A page elsewhere can have a browser send none of ours without asking first.

    Raises MediaTypeError where it is none of `taken`.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in taken:
        raise MediaTypeError(f"Content-Type must be {' or '.join(taken)}, not {given[:80]!r}")
    return given


async def read_body(request: Request, most_bytes: int) -> bytes:
    """All of it; TooLargeError as soon as there is more, or more is announced."""
    too_large = TooLargeError(f"at most {most_bytes} bytes are taken")
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > most_bytes:
        raise too_large
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most_bytes:
            raise too_large
    return bytes(content)


async def read_json(request: Request, model: type[M]) -> M:
    """The JSON body as a `model`. Raises UserError of one line."""
    media_type(request, JSON)
    content = await read_body(request, MOST_DOCUMENT_BYTES)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        said = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise UserError("; ".join(said)) from None


def parsed_json(content: bytes) -> Any:
    """Raises UserError for anything that is not JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON: {' '.join(str(error).split())[:200]}") from None

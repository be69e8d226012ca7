"""How the dashboard answers: compressed, with an entity tag and the headers of a safe page."""

from __future__ import annotations

import gzip
import hashlib

from starlette.requests import Request
from starlette.responses import Response

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # plotly.js makes style elements.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline script and no `eval`: a name that got through the escaping could still run nothing."""
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOREVER = "private, max-age=31536000, immutable"
"""Private: what a token guards is not for the caches of proxies."""
_SMALL = 1_000
"""Bytes up to which compressing is not worth it."""


def reply(
    request: Request, content: str, media_type: str = "text/html", status: int = 200
) -> Response:
    """`content`, or 304 where the browser has it already."""
    body = content.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {**SAFE, "ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if status == 200 and tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    if len(body) > _SMALL and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type)


def forever(content: bytes, media_type: str, *, gzipped: bool) -> Response:
    """What never changes under its address."""
    headers = {**SAFE, "Cache-Control": FOREVER}
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=media_type)

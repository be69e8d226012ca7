"""Scripts and styles: a fixed list, served from the package under the hash of what they hold."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from plotly.offline import get_plotlyjs

from search.report.page import template_text

_SCRIPT, _STYLE, _IMAGE = "text/javascript", "text/css", "image/svg+xml"
_OWN = {
    "dashboard.css": _STYLE,
    "page.js": _SCRIPT,
    "live.js": _SCRIPT,
    "selection.js": _SCRIPT,
    "pictures.js": _SCRIPT,
    "exporting.js": _SCRIPT,
    "icon.svg": _IMAGE,
}
_OF_THE_REPORT = {"style.css": _STYLE, "draw.js": _SCRIPT}
PLOTLY = "plotly.js"


@dataclass(frozen=True)
class Asset:
    """One file as it is sent: compressed, because all browsers take that."""

    media_type: str
    gzipped: bytes


@cache
def assets() -> dict[str, Asset]:
    """All there are, by name."""
    return {
        name: Asset(media, gzip.compress(content, 6, mtime=0)) for name, media, content in _read()
    }


@cache
def digest() -> str:
    """Of all assets together, so that they find each other under relative names."""
    total = hashlib.sha256()
    for name, _, content in _read():
        total.update(name.encode() + content)
    return total.hexdigest()[:16]


def asset_url(name: str) -> str:
    """Where a page finds an asset. KeyError for one that is not on the list."""
    return f"/assets/{digest()}/{_NAMES[name]}"


def _read() -> list[tuple[str, str, bytes]]:
    static = files(__package__).joinpath("static")
    return [
        *((name, media, static.joinpath(name).read_bytes()) for name, media in _OWN.items()),
        *((name, media, template_text(name).encode()) for name, media in _OF_THE_REPORT.items()),
        (PLOTLY, _SCRIPT, get_plotlyjs().encode()),
    ]


_NAMES = {name: name for name in (*_OWN, *_OF_THE_REPORT, PLOTLY)}

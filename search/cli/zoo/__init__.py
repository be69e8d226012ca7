"""The `lensnas zoo` commands: importing a module of this package adds its command."""

from . import build, listing, score, show
from .app import app

__all__ = ["app", "build", "listing", "score", "show"]

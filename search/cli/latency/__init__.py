"""The `lensnas latency` commands: importing a module of this package adds its command."""

from . import devices, predict
from .app import app

__all__ = ["app", "devices", "predict"]

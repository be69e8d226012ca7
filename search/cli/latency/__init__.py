"""The `lensnas latency` commands: importing a module of this package adds its command."""

from . import calibrate, devices, explain, importing, measure, predict, suite, validate
from .app import app

__all__ = [
    "app",
    "calibrate",
    "devices",
    "explain",
    "importing",
    "measure",
    "predict",
    "suite",
    "validate",
]

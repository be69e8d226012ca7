"""Versions of what decides the result of a training run."""

from __future__ import annotations

import importlib.metadata

PACKAGES = ("lensnas", "tensorflow", "keras", "numpy")
"""Another version may compute otherwise, or keep other variables."""


def versions_here() -> dict[str, str]:
    """Of each of `PACKAGES`; "missing" for one that is not installed."""
    return {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"

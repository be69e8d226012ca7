"""Versions of what decides the result of a training run."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

PACKAGES = ("lensnas", "tensorflow", "keras", "numpy")
"""Another version may compute otherwise, or keep other variables."""


def versions_here(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Of each of `packages`; "missing" for one that is not installed."""
    return {name: _version(name) for name in packages}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"

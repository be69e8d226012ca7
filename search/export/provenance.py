"""Where a bundle comes from: what is needed to make it again."""

from __future__ import annotations

import platform
from typing import Any

import yaml

from search.config import StudyConfig
from search.study.storage import document_of
from search.study.versions import PACKAGES, versions_here

STUDY = "study.yaml"


def made_with() -> dict[str, str]:
    """Versions of what training, conversion and the checks depend on."""
    packages = versions_here((*PACKAGES, "ai-edge-litert", "optuna"))
    return {**packages, "python": platform.python_version()}


def study_settings(config: StudyConfig) -> dict[str, Any]:
    """What the study is; not where it is kept, which another export may name differently."""
    settings = document_of(config)
    return {name: value for name, value in settings.items() if name not in ("output", "storage")}


def study_file(config: StudyConfig) -> bytes:
    """The same as a study file, which `lensnas run` takes."""
    return yaml.safe_dump(study_settings(config), sort_keys=False, allow_unicode=True).encode()

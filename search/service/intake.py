"""Study documents from strangers: read within limits, and kept away from what is not theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.engine import make_url

from latency import device_names
from search.config import StudyConfig, parse_config
from search.errors import UserError
from search.study.storage import document_of
from search.training.recipe import DOWNLOAD

from .bodies import JSON, parsed_json
from .settings import SAMPLE_DATA, Settings

MOST_LEVELS = 20
MOST_VALUES = 10_000


def read_study(content: bytes, media_type: str, settings: Settings) -> StudyConfig:
    """The study of a submitted file, to be kept under the service's runs.

    Raises UserError for what is no study, or names what it may not.
    """
    document = parsed_json(content) if media_type == JSON else _parsed_yaml(content)
    if not isinstance(document, dict):
        raise UserError("a study is a mapping of settings, such as 'task: isp'")
    _check_extent(document)
    # Before it is validated, which looks at the files.
    _check_files(document, settings)
    runs = settings.runs.resolve()
    data = document.get("data")
    if data is None or (isinstance(data, dict) and "root" not in data):
        data = {**(data or {}), "root": str(runs / SAMPLE_DATA)}
    config = parse_config({**document, "data": data, "output": str(runs)}, "the study")
    _check_numbers(config)
    _check_sample(config, settings)
    _check_means(config, settings)
    return config


def _parsed_yaml(content: bytes) -> Any:
    try:
        level = 0
        for count, event in enumerate(yaml.parse(content, Loader=yaml.CSafeLoader)):
            level += isinstance(event, yaml.CollectionStartEvent)
            level -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise UserError("anchors and aliases (& and *) are not taken: write it out")
            if level > MOST_LEVELS or count > 2 * MOST_VALUES:
                raise _too_much()
        return yaml.load(content, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, KeyError) as error:
        raise UserError(f"not YAML: {' '.join(str(error).split())[:200]}") from None


def _check_extent(document: Any) -> None:
    """Neither deep nor large; text and numbers only, keys as text."""
    count, level, here = 0, 0, [document]
    while here:
        count, level = count + len(here), level + 1
        if level > MOST_LEVELS or count > MOST_VALUES:
            raise _too_much()
        here = [inner for value in here for inner in _inside(value)]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise UserError(f"the name of a setting is a text, not {str(key)[:80]!r}")
        return list(value.values())
    if isinstance(value, list):
        return value
    if value is not None and not isinstance(value, str | int | float):
        raise UserError(f"a {type(value).__name__} is no value of a setting: {str(value)[:80]!r}")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise UserError("a number has more than 64 bits")
    return []


def _too_much() -> UserError:
    return UserError(
        f"a study has at most {MOST_VALUES} values, at most {MOST_LEVELS} in one another"
    )


def _check_files(document: dict[str, Any], settings: Settings) -> None:
    if "output" in document:
        raise UserError("output: the service says where studies are kept, leave it out")
    device = document.get("device")
    if device and device not in device_names():
        _check_file("device", device, settings)
    for setting, path in _files(document):
        _check_file(setting, path, settings)


def _files(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every file or folder that a study names, by its setting; what is malformed is refused
    later."""
    root = _at(document, "data", "root")
    if root is not None:
        yield "data.root", root
    lpips = _at(document, "evaluation", "lpips")
    if lpips is not None:
        yield "evaluation.lpips", lpips
    teacher = _at(document, "training", "teacher", "weights")
    if teacher is not None:
        yield "training.teacher.weights", teacher
    classifiers = _at(document, "training", "perceptual_weights")
    if isinstance(classifiers, dict):
        for name, path in classifiers.items():
            if path != DOWNLOAD:
                yield f"training.perceptual_weights.{name}", path


def _at(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _check_file(setting: str, path: Any, settings: Settings) -> None:
    """The path, links followed, lies in a data root. Nothing tells whether others exist."""
    roots = [root.resolve() for root in (*settings.data_roots, settings.sample_root)]
    try:
        inside = isinstance(path, str) and any(
            Path(path).resolve().is_relative_to(r) for r in roots
        )
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise UserError(
            f"{setting}: {str(path)[:200]!r} is not in a folder that studies may read "
            "(lensnas serve --data-root FOLDER)"
        )


def _check_numbers(config: StudyConfig) -> None:
    try:
        json.dumps(document_of(config), allow_nan=False)
    except ValueError:
        raise UserError("inf and nan are no values of a setting: JSON cannot tell them") from None


def _check_sample(config: StudyConfig, settings: Settings) -> None:
    """Sample data are made where they are not: nothing is written into a data root."""
    root = config.data.root.resolve()
    if config.data.dataset == "sample" and not root.is_relative_to(settings.sample_root.resolve()):
        raise UserError(
            f"data.root: sample data are made in the service's own {SAMPLE_DATA!r} folder, "
            "leave it out"
        )


def _check_means(config: StudyConfig, settings: Settings) -> None:
    if config.name == SAMPLE_DATA:
        raise UserError(f"name: {SAMPLE_DATA!r} is where sample data are kept, choose another")
    if config.storage is not None:
        if not settings.storages:
            raise UserError(
                "storage: studies may not name a database here (lensnas serve --allow-storage)"
            )
        url = make_url(config.storage)
        if url.drivername == "sqlite" or url.query:
            raise UserError("storage: no file is taken from afar, only PostgreSQL without options")
    if config.runner.kind == "ray" and not settings.ray:
        raise UserError("runner: studies may not use Ray here (lensnas serve --allow-ray)")
    if config.workers > settings.most_workers:
        raise UserError(
            f"workers: {config.workers} are more than the {settings.most_workers} that a study "
            "may have here (lensnas serve --most-workers)"
        )

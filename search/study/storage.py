"""Opening a study's storage, and refusing to mix two studies under one name."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from latency import load_profile
from search.config import StudyConfig, parse_config
from search.errors import UserError
from search.training.lpips_weights import read_lpips_weights

from .mirror import MirroredStorage

Flush = Callable[[], None]
"""Writes what has changed in a study since the last time."""

CONFIG = "config"
LPIPS = "lpips_weights"
SQLITE = "sqlite:///"


def in_memory() -> None:
    """The `Flush` of a study that is in memory alone."""


def quiet_optuna() -> None:
    """Optuna's per-trial messages; ours say the same and more."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_storage(url: str, *, create: bool) -> RDBStorage:
    """An Optuna storage. SQLite runs in WAL mode, where readers never block the driver.

    Raises UserError where it cannot be opened, or is absent and not to be created.
    """
    quiet_optuna()
    if url.startswith(SQLITE):
        _prepare_sqlite_file(Path(url.removeprefix(SQLITE)), create)
    try:
        # Optuna raises on, but also logs, a failure to connect; one of the two is enough.
        with _silenced("optuna"):
            storage = RDBStorage(url, engine_kwargs=_engine_options(url))
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, RuntimeError) as error:
        raise UserError(f"cannot open the storage {_shown(url)}: {_short(error)}") from None
    if url.startswith(SQLITE):
        sqlalchemy.event.listen(storage.engine, "connect", _tune_sqlite)
        storage.engine.dispose()
    return storage


def create_or_resume(config: StudyConfig) -> tuple[optuna.Study, Flush]:
    """The study of `config`, new or continued, in memory, and what writes its changes.

    Raises UserError where the stored study differs in what makes its trials comparable.
    """
    storage = open_storage(config.storage_url, create=True)
    known = {
        s.study_name for s in optuna.get_all_study_summaries(storage, include_best_trial=False)
    }
    if config.name in known:
        study = optuna.load_study(study_name=config.name, storage=storage)
        stored = study.user_attrs.get(CONFIG)
        if stored is None:
            raise UserError(f"{config.name!r} in {_shown(config.storage_url)} is not of LensNAS")
        _refuse_changes(config, stored)
    else:
        study = optuna.create_study(
            study_name=config.name, storage=storage, directions=directions_of(config)
        )
    if config.evaluation.lpips is not None:
        _refuse_other_lpips(study, config.evaluation.lpips)
    study.set_user_attr(CONFIG, _document(config))
    mirror = MirroredStorage(storage, config.name)
    return optuna.load_study(study_name=config.name, storage=mirror), mirror.flush


def directions_of(config: StudyConfig) -> list[StudyDirection]:
    """Of the score, or of PSNR and run time."""
    maximize, minimize = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
    return [maximize, minimize] if config.objective.kind == "pareto" else [maximize]


def load_study(url: str, name: str) -> tuple[optuna.Study, StudyConfig]:
    """A stored study, for reading. Raises UserError where there is none."""
    storage = open_storage(url, create=False)
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        raise UserError(f"there is no study {name!r} in {_shown(url)}") from None
    stored = study.user_attrs.get(CONFIG)
    if stored is None:
        raise UserError(f"{name!r} in {_shown(url)} is not a study of LensNAS")
    return study, parse_config(stored["config"], f"the stored study {name}")


def study_names(url: str) -> list[str]:
    """Names of the studies in a storage."""
    storage = open_storage(url, create=False)
    return sorted(
        s.study_name for s in optuna.get_all_study_summaries(storage, include_best_trial=False)
    )


def _document(config: StudyConfig) -> dict[str, Any]:
    return {"config": config.model_dump(mode="json"), "identity": identity(config)}


def identity(config: StudyConfig) -> dict[str, Any]:
    """What must not change under one study name: everything that a trial's result depends on.

    More trials, other samplers, pruning, finals and workers are free to change.
    """
    profile = load_profile(config.device)
    prices = json.dumps([asdict(profile.gpu), dict(profile.coefficients)], sort_keys=True)
    space = config.search_space()
    fixed = config.model_dump(
        mode="json", include={"task", "device", "data", "objective", "seed", "training", "reuse"}
    )
    fixed["data"].pop("root")
    return {
        **fixed,
        "device_profile": hashlib.sha256(prices.encode()).hexdigest()[:12],
        "space": {"name": space.name}
        | {c.name: {"values": list(c.values), "when": _plain(c.when)} for c in space.choices},
    }


def _refuse_changes(config: StudyConfig, stored: dict[str, Any]) -> None:
    now = json.loads(json.dumps(identity(config)))
    # Read anew, so that a setting which did not exist then has the value that it now stands for.
    then = parse_config(stored["config"], f"the stored study {config.name}")
    today = then.model_dump(mode="json", include={"training", "reuse"})
    changes = list(_differences(stored["identity"] | today, now, ""))
    if changes:
        shown = "; ".join(changes[:4]) + ("; ..." if len(changes) > 4 else "")
        raise UserError(
            f"study {config.name!r} exists with other settings ({shown}): "
            "choose another name, or restore them to resume it"
        )


def _refuse_other_lpips(study: optuna.Study, path: Path) -> None:
    """LPIPS may come later to a study, and leave it again; with other weights it would not compare.

    So the weights are no part of `identity`, which must be all there from the first run on.
    """
    digest = read_lpips_weights(path).digest
    if study.user_attrs.get(LPIPS, digest) != digest:
        raise UserError(
            f"evaluation.lpips: {path} holds other weights than study {study.study_name!r} was "
            "measured with: restore them, or choose another name"
        )
    study.set_user_attr(LPIPS, digest)


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    """Leaves at which two JSON documents differ, as "path: old -> new"."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield f"{path}: {_brief(old)} -> {_brief(new)}"


def _brief(value: Any) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value["values"] if isinstance(value, dict) and "values" in value else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(when: Any) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in when.items()}


def _prepare_sqlite_file(path: Path, create: bool) -> None:
    if not create and not path.exists():
        raise UserError(f"there is no study storage at {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path.parent}: {error.strerror}") from None


def _engine_options(url: str) -> dict[str, Any]:
    return {"connect_args": {"timeout": 60}} if url.startswith(SQLITE) else {}


def _tune_sqlite(connection: Any, _: Any) -> None:
    """Write-ahead log; NORMAL is durable against a killed process, which is what happens here."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _shown(url: str) -> str:
    """The URL without a password."""
    return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)


def _short(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200]


@contextmanager
def _silenced(logger: str) -> Iterator[None]:
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)

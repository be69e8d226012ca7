"""Opening a study's storage, and refusing to mix two studies under one name."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from latency import load_profile
from search.artifacts import write_bytes
from search.config import StudyConfig, parse_config
from search.errors import UserError
from search.training.lpips_weights import read_lpips_weights

from .database import (
    SQLITE,
    cannot_open,
    check_url,
    driver_url,
    engine_options,
    is_missing,
    own_url,
    shown,
    sqlite_path,
    without_password,
)
from .mirror import MirroredStorage, NumberedStorage
from .observer import Observer
from .ownership import DRIVER, Claim, sqlite_lock
from .patience import Patience
from .rows import RowStorage

Flush = Callable[[], None]
"""Writes what has changed in a study since the last time."""

CONFIG = "config"
URL_FILE = "storage.url"
"""In the folder of a study that is kept elsewhere: where."""
LPIPS = "lpips_weights"

_MAKING_TABLES = 5_051_127
"""The advisory lock under which a database's tables are made: any number that is ours."""


_CANNOT_OPEN = (
    sqlalchemy.exc.SQLAlchemyError,
    ImportError,
    RuntimeError,
    optuna.exceptions.StorageInternalError,
)


def in_memory() -> None:
    """The `Flush` of a study that is in memory alone."""


def quiet_optuna() -> None:
    """Optuna's per-trial messages; ours say the same and more. So do they of lost connections,
    which SQLAlchemy logs with a traceback each."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


def open_storage(url: str, *, create: bool) -> RowStorage:
    """An Optuna storage. SQLite runs in WAL mode, where readers never block the driver.

    Raises UserError where it cannot be opened, or is absent and not to be created.
    """
    quiet_optuna()
    path = sqlite_path(url)
    if path is not None:
        _prepare_sqlite_file(path, create)
    try:
        # Optuna raises on, but also logs, a failure to connect; one of the two is enough.
        with _silenced("optuna"), _alone_making_tables(url, create):
            storage = RowStorage(driver_url(url), engine_kwargs=engine_options(url))
    except _CANNOT_OPEN as error:
        raise cannot_open(url, error) from None
    if path is not None:
        sqlalchemy.event.listen(storage.engine, "connect", _tune_sqlite)
    storage.engine.dispose()
    return storage


def check_storage(url: str) -> None:
    """Refuse a database that cannot be reached, before a study's data are prepared.

    Raises UserError.
    """
    if sqlite_path(url) is not None:
        return
    try:
        engine = sqlalchemy.create_engine(driver_url(url), **engine_options(url))
        engine.connect().close()
        engine.dispose()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        raise cannot_open(url, error) from None


def leave_url(config: StudyConfig) -> None:
    """So that a study that is kept elsewhere is found by its folder; without a password."""
    if config.storage is None:
        (config.directory / URL_FILE).unlink(missing_ok=True)
        return
    path = sqlite_path(config.storage)
    url = without_password(config.storage) if path is None else f"{SQLITE}{path.resolve()}"
    write_bytes(config.directory / URL_FILE, f"{url}\n".encode())


def holds_study(directory: Path) -> bool:
    """Whether this folder is that of a study, wherever it is kept."""
    return (directory / URL_FILE).exists() or not is_missing(own_url(directory))


def url_of(directory: Path) -> str | None:
    """Where the study of this folder is kept, None where it holds none.

    Raises UserError where the file that says so is damaged.
    """
    elsewhere = directory / URL_FILE
    if elsewhere.exists():
        try:
            url = elsewhere.read_text().strip()
            check_url(url)
        except (OSError, ValueError) as error:
            raise UserError(f"{elsewhere} is damaged: {error}") from None
        return url
    own = own_url(directory)
    return None if is_missing(own) else own


@contextmanager
def owned_study(config: StudyConfig, observer: Observer) -> Iterator[tuple[optuna.Study, Flush]]:
    """The study of `config`, new or continued, held by this driver until the end of the block.

    It is in memory, and the flush writes it: where the storage is away, for up to
    `config.storage_wait_s`, as soon as it is back. Raises UserError where another driver holds it,
    and as `create_or_resume`.
    """
    url, path = config.storage_url, sqlite_path(config.storage_url)
    open_storage(url, create=True).engine.dispose()  # The tables are there now.
    patience = Patience(shown(url), config.storage_wait_s, observer)
    with ExitStack() as until_the_end:
        if path is not None:
            until_the_end.enter_context(sqlite_lock(path, config.name))
            storage, claim = _numbered(url, engine_options(url)), None
            sqlalchemy.event.listen(storage.engine, "connect", _tune_sqlite)
        else:
            # The one connection that holds the study is the one that writes.
            alone = {"pool_size": 1, "max_overflow": 0}
            storage = _numbered(url, engine_options(url) | alone)
            claim = Claim(config.name)
            claim.attach(storage.engine)
        until_the_end.callback(storage.engine.dispose)
        storage.engine.dispose()  # From before there were listeners.
        patience.until_back(lambda: create_or_resume(config, storage))
        mirror = patience.until_back(lambda: MirroredStorage(storage, config.name))
        study = optuna.load_study(study_name=config.name, storage=mirror)
        flush = partial(patience.until_back, mirror.flush)
        if claim is not None:
            study.set_user_attr(DRIVER, asdict(claim.driver))
            flush()
            claim.recorded = True
        leave_url(config)
        yield study, flush


def _numbered(url: str, engine_kwargs: dict[str, Any]) -> NumberedStorage:
    """Of a database whose tables are there."""
    return NumberedStorage(
        driver_url(url), engine_kwargs, skip_compatibility_check=True, skip_table_creation=True
    )


def create_or_resume(config: StudyConfig, storage: RDBStorage | None = None) -> optuna.Study:
    """The study of `config`, new or continued.

    Raises UserError where the stored study differs in what makes its trials comparable.
    """
    storage = storage or open_storage(config.storage_url, create=True)
    if config.name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=config.name, storage=storage)
        stored = study.user_attrs.get(CONFIG)
        if stored is not None:
            _refuse_changes(config, stored)
        # Without settings and trials it is ours from before a kill, if its directions are.
        elif study.get_trials(deepcopy=False) or study.directions != directions_of(config):
            raise UserError(f"{config.name!r} in {shown(config.storage_url)} is not of LensNAS")
    else:
        study = optuna.create_study(
            study_name=config.name, storage=storage, directions=directions_of(config)
        )
    if config.evaluation.lpips is not None:
        _refuse_other_lpips(study, config.evaluation.lpips)
    study.set_user_attr(CONFIG, _document(config))
    return study


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
        raise UserError(f"there is no study {name!r} in {shown(url)}") from None
    stored = study.user_attrs.get(CONFIG)
    if stored is None:
        raise UserError(f"{name!r} in {shown(url)} is not a study of LensNAS")
    return study, parse_config(stored["config"], f"the stored study {name}")


def study_names(url: str) -> list[str]:
    """Names of the studies in a storage."""
    return sorted(optuna.get_all_study_names(open_storage(url, create=False)))


def _document(config: StudyConfig) -> dict[str, Any]:
    return {"config": document_of(config), "identity": identity(config)}


def document_of(config: StudyConfig) -> dict[str, Any]:
    """All settings, for keeping and showing: without the storage's password."""
    settings = config.model_dump(mode="json")
    if config.storage is not None:
        settings["storage"] = without_password(config.storage)
    return settings


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
    _refuse(config.name, list(_differences(stored["identity"] | today, now, "")))


def require_same(then: StudyConfig, now: StudyConfig) -> None:
    """UserError where a study's trials under `now` would not compare with those under `then`."""
    _refuse(now.name, list(_differences(identity(then), identity(now), "")))


def _refuse(name: str, changes: list[str]) -> None:
    if changes:
        shown = "; ".join(changes[:4]) + ("; ..." if len(changes) > 4 else "")
        raise UserError(
            f"study {name!r} exists with other settings ({shown}): "
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


@contextmanager
def _alone_making_tables(url: str, create: bool) -> Iterator[None]:
    """Optuna's tables are made by one process at a time, because it does not expect two.

    Who only reads makes none: UserError where there are none.
    """
    path = sqlite_path(url)
    if path is not None:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
        return
    engine = sqlalchemy.create_engine(driver_url(url), **engine_options(url))
    try:
        with engine.connect() as connection:
            if not create and not sqlalchemy.inspect(connection).has_table("studies"):
                raise UserError(f"there is no study in {shown(url)}")
            if create:
                connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({_MAKING_TABLES})"))
            yield
    finally:
        engine.dispose()


def _tune_sqlite(connection: Any, _: Any) -> None:
    """Write-ahead log; NORMAL is durable against a killed process, which is what happens here."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


@contextmanager
def _silenced(logger: str) -> Iterator[None]:
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)

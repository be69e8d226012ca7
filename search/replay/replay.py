"""`replay`: the search stage of a study, its trainings taken from a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from search.config import StudyConfig, parse_config
from search.study.driver import search
from search.study.job import DataSource
from search.study.observer import Silent
from search.study.results import TrialRecord
from search.study.run import StudyRun
from search.study.storage import directions_of

from .pool import ReplayPool
from .probes import Probes
from .table import TrainedTable


@dataclass(frozen=True)
class Replayed:
    """What a replayed study came to: its trials in the order in which they ended, each with the
    simulated seconds since the study's start."""

    trials: tuple[tuple[float, TrialRecord], ...]


def study_of(table: TrainedTable, **settings: Any) -> StudyConfig:
    """A study of the table's task, space and recipe; `settings` as in a study file.

    The training takes the table's largest budget unless `settings` say otherwise.
    """
    training = {**table.training, "steps": table.budgets[-1], **settings.pop("training", {})}
    space = {"name": table.space, "choices": {k: list(v) for k, v in table.choices.items()}}
    document = {"name": "replayed", "task": table.task, "space": space, "finals": None}
    return parse_config({**document, "training": training, **settings}, "a replayed study")


def replay(
    table: TrainedTable,
    config: StudyConfig,
    probes: Mapping[tuple[str, int], Probes] | None = None,
) -> Replayed:
    """Search as `lensnas run` would, by the same driver, on a simulated clock and in memory.

    `probes` by (digest, seed of the table): for studies that probe.
    Raises UserError where the study asks for what the table does not hold.
    """
    pool = ReplayPool(table, config.workers, probes or {})
    observer = _Recorder(pool)
    study = optuna.create_study(directions=directions_of(config))
    data = DataSource("sample", Path())
    context = config.sampling_context()
    search(StudyRun(config, study, config.training, data, context, pool, observer))
    return Replayed(tuple(observer.trials))


class _Recorder(Silent):
    def __init__(self, pool: ReplayPool) -> None:
        self.pool = pool
        self.trials: list[tuple[float, TrialRecord]] = []

    def trial(self, record: TrialRecord) -> None:
        self.trials.append((self.pool.clock_s, record))

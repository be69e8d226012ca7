"""Trials as rows of Optuna's tables, written a table at a time.

Optuna writes a value at a time, after looking for the trial and for an earlier one with such a
choice: about four statements for each, and a database on another machine answers each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, insert

Row = dict[str, Any]
Stored = tuple[int, FrozenTrial]
"""A trial, and its id in the database."""


def insert_trials(
    connection: Connection, study_id: int, trials: Sequence[FrozenTrial]
) -> list[int]:
    """Their ids. Each is written whole, under the number that it has, in the connection's
    transaction: the caller sees to it that the numbers are free and stay so until its end.
    """
    found = connection.execute(
        insert(models.TrialModel).returning(
            models.TrialModel.trial_id, sort_by_parameter_order=True
        ),
        [_trial(study_id, trial) for trial in trials],
    )
    ids = list(found.scalars())
    stored = list(zip(ids, trials, strict=True))
    for model, rows in (
        (models.TrialParamModel, _params(stored)),
        (models.TrialValueModel, _values(stored)),
        (models.TrialUserAttributeModel, _attributes(stored, "user_attrs")),
        (models.TrialSystemAttributeModel, _attributes(stored, "system_attrs")),
        (models.TrialIntermediateValueModel, _intermediate_values(stored)),
    ):
        some = list(rows)
        if some:
            connection.execute(insert(model), some)
    return ids


def _trial(study_id: int, trial: FrozenTrial) -> Row:
    return {
        "number": trial.number,
        "study_id": study_id,
        "state": trial.state,
        "datetime_start": _utc(trial.datetime_start),
        "datetime_complete": _utc(trial.datetime_complete),
    }


def _utc(local: datetime | None) -> datetime | None:
    """Optuna's trials have the system's time, its tables UTC; neither says so."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def _params(stored: Iterable[Stored]) -> Iterable[Row]:
    for trial_id, trial in stored:
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            yield {
                "trial_id": trial_id,
                "param_name": name,
                "param_value": distribution.to_internal_repr(value),
                "distribution_json": distribution_to_json(distribution),
            }


def _values(stored: Iterable[Stored]) -> Iterable[Row]:
    as_stored = models.TrialValueModel.value_to_stored_repr
    for trial_id, trial in stored:
        for objective, value in enumerate(trial.values or ()):
            number, kind = as_stored(value)
            yield {
                "trial_id": trial_id,
                "objective": objective,
                "value": number,
                "value_type": kind,
            }


def _attributes(stored: Iterable[Stored], kind: str) -> Iterable[Row]:
    for trial_id, trial in stored:
        for key, value in getattr(trial, kind).items():
            yield {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}


def _intermediate_values(stored: Iterable[Stored]) -> Iterable[Row]:
    as_stored = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
    for trial_id, trial in stored:
        for step, value in trial.intermediate_values.items():
            number, kind = as_stored(value)
            yield {
                "trial_id": trial_id,
                "step": step,
                "intermediate_value": number,
                "intermediate_value_type": kind,
            }

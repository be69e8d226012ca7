"""Trials as rows of Optuna's tables, written and read a table at a time.

Optuna writes a value at a time, after looking for the trial and for an earlier one with such a
choice: about four statements for each, and a database on another machine answers each of them. It
reads each row as an object that could be changed and written back, which costs ten times the row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import BindParameter, Connection, Select, bindparam, insert, inspect, or_, select

Row = dict[str, Any]
Stored = tuple[int, FrozenTrial]
"""A trial, and its id in the database."""


class RowStorage(RDBStorage):
    """A database whose trials are read a table at a time, whoever asks for them."""

    def trials_since(
        self, study_id: int, unfinished: Collection[int], last: int
    ) -> list[FrozenTrial]:
        """A study's trials whose ids are in `unfinished` or greater than `last`, by id.

        With their user attributes, but without parameters and values: those are three quarters of
        all rows, and the attributes say the same. Raises KeyError where there is no such study.
        """
        return self._read(study_id, unfinished, last, [_USER_ATTRIBUTES])

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """What Optuna reads whole trials by, for its cache of those that have ended, too."""
        trials = self._read(study_id, included_trial_ids, trial_id_greater_than, _PARTS)
        return [trial for trial in trials if states is None or trial.state in states]

    def _read(
        self, study_id: int, among: Collection[int], after: int, parts: Sequence[_Part]
    ) -> list[FrozenTrial]:
        self.get_study_name_from_id(study_id)
        wanted = _wanted(study_id, among, after)
        with self.engine.connect() as connection:
            # States first: whatever else a finished trial has was written with its end.
            trials = {trial._trial_id: trial for trial in _bare_trials(connection, wanted)}
            for part in parts:
                for trial_id, *row in connection.execute(part.rows(wanted)):
                    if trial_id in trials:  # Others have come meanwhile.
                        part.put(trials[trial_id], *row)
        return list(trials.values())


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


def _wanted(study_id: int, among: Collection[int], after: int) -> Select[tuple[int]]:
    trial_id = models.TrialModel.trial_id
    # Written into the statement: a database limits how many parameters one has.
    listed: BindParameter[int] = bindparam(
        "among", sorted(among), expanding=True, literal_execute=True
    )
    return select(trial_id).where(
        models.TrialModel.study_id == study_id, or_(trial_id > after, trial_id.in_(listed))
    )


def _bare_trials(connection: Connection, wanted: Select[tuple[int]]) -> Iterator[FrozenTrial]:
    """Their numbers, states and times, by id."""
    model = models.TrialModel
    columns = (
        model.trial_id, model.number, model.state, model._datetime_start_utc,
        model._datetime_complete_utc,
    )  # fmt: skip
    statement = select(*columns).where(model.trial_id.in_(wanted)).order_by(model.trial_id)
    for trial_id, number, state, started, ended in connection.execute(statement):
        yield FrozenTrial(
            number=number,
            state=state,
            value=None,
            datetime_start=_local(started),
            datetime_complete=_local(ended),
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
            trial_id=trial_id,
        )


def _local(utc: datetime | None) -> datetime | None:
    """Inverse of `_utc`."""
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


@dataclass(frozen=True)
class _Part:
    """A table with more of each trial: `columns` of a row are what `put` adds to its trial."""

    model: Any
    columns: tuple[str, ...]
    put: Callable[..., None]

    def rows(self, wanted: Select[tuple[int]]) -> Select[Any]:
        """(trial id, columns) of the trials that `wanted` selects, as they were written."""
        columns = [getattr(self.model, name) for name in self.columns]
        statement = select(self.model.trial_id, *columns).where(self.model.trial_id.in_(wanted))
        return statement.order_by(*inspect(self.model).primary_key)


def _put_param(trial: FrozenTrial, name: str, value: float, distribution_json: str) -> None:
    distribution = _distribution(distribution_json)
    trial.distributions[name] = distribution
    trial.params[name] = distribution.to_external_repr(value)


# The same few again and again; nobody changes one.
_distribution = lru_cache(1000)(json_to_distribution)


def _put_value(trial: FrozenTrial, value: float | None, kind: Any) -> None:
    as_value = models.TrialValueModel.stored_repr_to_value
    trial.values = [*(trial.values or ()), as_value(value, kind)]


def _put_user_attribute(trial: FrozenTrial, key: str, value_json: str) -> None:
    trial.user_attrs[key] = json.loads(value_json)


def _put_system_attribute(trial: FrozenTrial, key: str, value_json: str) -> None:
    trial.system_attrs[key] = json.loads(value_json)


def _put_intermediate_value(trial: FrozenTrial, step: int, value: float | None, kind: Any) -> None:
    as_value = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
    trial.intermediate_values[step] = as_value(value, kind)


_USER_ATTRIBUTES = _Part(models.TrialUserAttributeModel, ("key", "value_json"), _put_user_attribute)
_PARTS = (
    _Part(models.TrialParamModel, ("param_name", "param_value", "distribution_json"), _put_param),
    _Part(models.TrialValueModel, ("value", "value_type"), _put_value),
    _USER_ATTRIBUTES,
    _Part(models.TrialSystemAttributeModel, ("key", "value_json"), _put_system_attribute),
    _Part(
        models.TrialIntermediateValueModel,
        ("step", "intermediate_value", "intermediate_value_type"),
        _put_intermediate_value,
    ),
)

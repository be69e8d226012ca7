"""`MirroredStorage`: a study in the driver's memory, written to its storage a step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.errors import UserError

from .rows import RowStorage, insert_trials

Attributes = Literal["user", "system"]


@dataclass(frozen=True)
class _Stored:
    """What the storage has of a trial. The dictionaries are copies: Optuna's trials change theirs
    in place."""

    state: TrialState
    choices: frozenset[str]
    system_attrs: Mapping[str, Any]
    user_attrs: Mapping[str, Any]
    intermediate_values: Mapping[int, float]

    @classmethod
    def of(cls, trial: FrozenTrial) -> _Stored:
        return cls(
            trial.state,
            frozenset(trial.params),
            dict(trial.system_attrs),
            dict(trial.user_attrs),
            dict(trial.intermediate_values),
        )


class NumberedStorage(RowStorage):
    """A database in which a new trial is made under the number that it has in memory, once.

    Where a connection breaks, Optuna itself would make it again, though it may be there by then.
    """

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """May be repeated. Raises UserError where somebody else's trial has the number."""
        assert template_trial is not None
        with _create_scoped_session(self.scoped_session) as session:
            # Locked, so that nobody makes a trial meanwhile.
            models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
            # The last one is found by its key; by its number every trial would be looked at.
            of_study = session.query(models.TrialModel).filter_by(study_id=study_id)
            last = of_study.order_by(models.TrialModel.trial_id.desc()).first()
            if last is None or last.number < template_trial.number:
                return insert_trials(session.connection(), study_id, [template_trial])[0]
            if last.number > template_trial.number or not _same(last, template_trial):
                raise UserError(
                    f"somebody else has added trial {last.number} to the study: only its one "
                    "'lensnas run' may (run it again to go on with that trial)"
                )
            return cast("int", last.trial_id)

    def write_changes(self, trial_id: int, before: _Stored, now: FrozenTrial) -> None:
        """What is new of a trial that is there, in one transaction; may be repeated.

        UpdateFinishedTrialError where it has ended otherwise than `now`.
        """
        with _create_scoped_session(self.scoped_session) as session:
            stored = models.TrialModel.find_or_raise_by_id(trial_id, session, for_update=True)
            if stored.state == now.state != before.state:
                return  # An earlier try had written everything, and its answer was lost.
            made = session.query(models.TrialParamModel.param_name).filter_by(trial_id=trial_id)
            for name in now.params.keys() - before.choices - {name for (name,) in made}:
                distribution = now.distributions[name]
                value = distribution.to_internal_repr(now.params[name])
                self._set_trial_param_without_commit(session, trial_id, name, value, distribution)
            for model, old, new in (
                (models.TrialSystemAttributeModel, before.system_attrs, now.system_attrs),
                (models.TrialUserAttributeModel, before.user_attrs, now.user_attrs),
            ):
                for key, value in _new(old, new):
                    self._set_trial_attr_without_commit(session, model, trial_id, key, value)
            for step, value in _new(before.intermediate_values, now.intermediate_values):
                self._set_trial_intermediate_value_without_commit(session, trial_id, step, value)
            if now.state != before.state:
                for objective, value in enumerate(now.values or ()):
                    self._set_trial_value_without_commit(session, stored, objective, value)
                stored.datetime_start = now.datetime_start
                stored.datetime_complete = now.datetime_complete
                stored.state = now.state


def _same(stored: models.TrialModel, trial: FrozenTrial) -> bool:
    attributes = {attribute.key for attribute in stored.user_attributes}
    return stored.datetime_start == trial.datetime_start and attributes == set(trial.user_attrs)


class MirroredStorage(InMemoryStorage):
    """One study of `storage`, for the one driver that owns it.

    Reads come from memory: samplers ask for every trial at every step, and a database would take
    longer the more there are. Changes wait for `flush`, which writes a new trial with all its
    choices and attributes in one transaction, where Optuna would take one for each. What was not
    flushed is lost with the driver, and was never there.
    """

    def __init__(self, storage: NumberedStorage, study_name: str) -> None:
        """Raises KeyError where there is no such study."""
        super().__init__()
        self._storage = storage
        self._stored_study_id = storage.get_study_id_from_name(study_name)
        self._stored_ids: list[int] = []
        self._as_stored: list[_Stored] = []
        self._changed: set[int] = set()
        self._changed_attrs: dict[tuple[Attributes, str], Any] = {}
        self._load(study_name)

    def flush(self) -> None:
        """Write what has changed: new trials, then changes of those that are there, then the study.

        So a trial that replaces another is there before the other one ends, whenever the driver
        is killed.
        May be called again where it failed, whatever had been written by then. Raises UserError
        where somebody else has added trials to the study.
        """
        for number in sorted(self._changed, key=lambda n: (n < len(self._as_stored), n)):
            trial = self.get_trial(number)
            if number < len(self._as_stored):
                self._storage.write_changes(
                    self._stored_ids[number], self._as_stored[number], trial
                )
                self._as_stored[number] = _Stored.of(trial)
            else:
                self._remember(self._storage.create_new_trial(self._stored_study_id, trial))
            self._changed.remove(number)
        for (kind, key), value in list(self._changed_attrs.items()):
            getattr(self._storage, f"set_study_{kind}_attr")(self._stored_study_id, key, value)
            del self._changed_attrs[kind, key]

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """In memory until `flush`."""
        super().set_study_user_attr(study_id, key, value)
        self._changed_attrs["user", key] = value

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """In memory until `flush`."""
        super().set_study_system_attr(study_id, key, value)
        self._changed_attrs["system", key] = value

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """In memory until `flush`."""
        return self._note(super().create_new_trial(study_id, template_trial))

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """In memory until `flush`."""
        super().set_trial_param(
            self._note(trial_id), param_name, param_value_internal, distribution
        )

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """In memory until `flush`."""
        return super().set_trial_state_values(self._note(trial_id), state, values)

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """In memory until `flush`."""
        super().set_trial_intermediate_value(self._note(trial_id), step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """In memory until `flush`."""
        super().set_trial_user_attr(self._note(trial_id), key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """In memory until `flush`."""
        super().set_trial_system_attr(self._note(trial_id), key, value)

    def _note(self, trial_id: int) -> int:
        self._changed.add(trial_id)  # In a storage of one study, a trial's id is its number.
        return trial_id

    def _load(self, study_name: str) -> None:
        stored = self._storage
        directions: list[StudyDirection] = stored.get_study_directions(self._stored_study_id)
        self._study_id = super().create_new_study(directions, study_name)
        for key, value in stored.get_study_user_attrs(self._stored_study_id).items():
            super().set_study_user_attr(self._study_id, key, value)
        for key, value in stored.get_study_system_attrs(self._stored_study_id).items():
            super().set_study_system_attr(self._study_id, key, value)
        for trial in stored.get_all_trials(self._stored_study_id, deepcopy=False):
            super().create_new_trial(self._study_id, trial)
            self._remember(trial._trial_id)

    def _remember(self, stored_id: int) -> None:
        """The next trial is stored as it is now."""
        self._as_stored.append(_Stored.of(self.get_trial(len(self._stored_ids))))
        self._stored_ids.append(stored_id)


def _new(before: Mapping[Any, Any], now: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """What was added or given another value."""
    return [(key, value) for key, value in now.items() if before.get(key, _ABSENT) != value]


_ABSENT = object()

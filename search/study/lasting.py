"""`LastingStorage`: an Optuna storage whose every call outlives the loss of its connection.

A connection may break after the database has written, but before it says so. A call that is
repeated must then find what the first attempt wrote instead of writing it twice:

- reading, and writing an attribute, a parameter or an intermediate value, may be repeated as is;
- a study or trial that was made is found again, the trial by a name that it was made with;
- a trial that has the wanted state and values is as good as told.

This holds because a study has one driver (ownership.py): nobody else writes in between.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from functools import wraps
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.orm import Session

from .patience import Patience

MADE_AS = "lensnas:made_as"
"""The system attribute of a trial that tells whether an attempt to make it came through."""

REPEATABLE = (
    "get_all_studies", "get_study_id_from_name", "get_study_name_from_id", "get_study_directions",
    "get_study_user_attrs", "get_study_system_attrs", "get_trial", "get_all_trials", "_get_trials",
    "get_trial_id_from_study_id_trial_number", "get_trial_number_from_id", "get_trial_param",
    "get_trial_params", "get_trial_user_attrs", "get_trial_system_attrs", "get_n_trials",
    "get_best_trial", "_get_best_trial_id", "set_study_user_attr", "set_study_system_attr",
    "set_trial_user_attr", "set_trial_system_attr", "set_trial_intermediate_value",
    "set_trial_param", "_set_trial_param",
)  # fmt: skip
"""Calls whose second time changes nothing; with an underscore those that Optuna's cache makes."""


class LastingStorage(RDBStorage):
    """A database whose tables exist, for the one driver of a study."""

    def __init__(self, url: str, engine_kwargs: dict[str, Any], patience: Patience) -> None:
        self.patience = patience
        super().__init__(
            url, engine_kwargs, skip_compatibility_check=True, skip_table_creation=True
        )

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """See `BaseStorage.create_new_study`."""
        make = super().create_new_study

        def again() -> int:
            try:
                return make(directions, study_name)
            except optuna.exceptions.DuplicatedStudyError:
                assert study_name is not None
                return self.get_study_id_from_name(study_name)

        return self.patience.until_back(lambda: make(directions, study_name), again)

    def delete_study(self, study_id: int) -> None:
        """See `BaseStorage.delete_study`."""
        raise NotImplementedError("LensNAS deletes no study")

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """See `BaseStorage.set_trial_state_values`."""
        write = super().set_trial_state_values

        def again() -> bool:
            stored = RDBStorage.get_trial(self, trial_id)
            written = stored.state == state and (values is None or stored.values == list(values))
            return written or write(trial_id, state, values)

        return self.patience.until_back(lambda: write(trial_id, state, values), again)

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        make, named = super()._create_new_trial, _named(template_trial)
        return self.patience.until_back(lambda: make(study_id, named))

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
        """Optuna repeats this, too; it holds a lock on the study, so the newest trial stays it."""
        assert template_trial is not None
        of_study = session.query(models.TrialModel).filter_by(study_id=study_id)
        newest = of_study.order_by(models.TrialModel.trial_id.desc()).first()
        if newest is not None:
            names = session.query(models.TrialSystemAttributeModel.value_json)
            name = names.filter_by(trial_id=newest.trial_id, key=MADE_AS).scalar()
            if name == f'"{template_trial.system_attrs[MADE_AS]}"':
                return newest
        return super()._get_prepared_new_trial(study_id, template_trial, session)


def _named(template: FrozenTrial | None) -> FrozenTrial:
    """What a new trial is made from, with a name of its own."""
    if template is None:
        trial = FrozenTrial(
            number=-1,
            trial_id=-1,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
    else:
        trial = deepcopy(template)
    trial.system_attrs = {**trial.system_attrs, MADE_AS: uuid.uuid4().hex}
    return trial


def _lasting(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: LastingStorage, *arguments: Any, **named: Any) -> Any:
        return self.patience.until_back(lambda: method(self, *arguments, **named))

    return call


for _name in REPEATABLE:
    setattr(LastingStorage, _name, _lasting(getattr(RDBStorage, _name)))

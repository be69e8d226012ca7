"""What samplers share that propose whole architectures: Optuna asks choice by choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from spaces.architecture import Architecture


class ProposingSampler(optuna.samplers.BaseSampler):
    """Hands out the choices of what `propose` returns for a trial.

    A parameter that is none of its choices is drawn uniformly.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._uniform = optuna.samplers.RandomSampler(seed=seed)
        self._proposals: dict[int, Architecture] = {}

    @abstractmethod
    def propose(self, study: optuna.Study) -> Architecture | None:
        """The architecture of the next trial; None where there is none to propose."""

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Find the architecture whose choices this trial will be given."""
        proposal = self.propose(study)
        if proposal is not None:
            self._proposals[trial.number] = proposal

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Nothing: the proposal is handed out choice by choice."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing: see `infer_relative_search_space`."""
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The proposal's value of one choice."""
        proposal = self._proposals.get(trial.number)
        if proposal is not None and param_name in proposal.choices:
            return proposal.choices[param_name]
        return self._uniform.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Forget the proposal."""
        self._proposals.pop(trial.number, None)

    def reseed_rng(self) -> None:
        """A new random state (Optuna's multi-threaded optimize asks for it)."""
        self._rng = np.random.default_rng()
        self._uniform.reseed_rng()

"""Regularised (aging) evolution as an Optuna sampler."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from spaces.architecture import Architecture
from spaces.space import SearchSpace

from .context import Context
from .history import architecture_of
from .proposing import ProposingSampler
from .registry import SAMPLERS


class EvolutionSampler(ProposingSampler):
    """Mutates the best of a random sample of the youngest `population` trials.

    Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019:
    the oldest individual dies whatever its quality, so a lucky noisy result does not live on.
    With several objectives the fittest of a sample is one that no other dominates.
    """

    def __init__(self, space: SearchSpace, seed: int, population: int, tournament: int) -> None:
        if not 1 <= tournament <= population:
            raise ValueError(f"tournament must be 1..population, not {tournament} of {population}")
        super().__init__(seed)
        self._space = space
        self._population = population
        self._tournament = tournament

    def propose(self, study: optuna.Study) -> Architecture:
        """A child of the fittest of a few, or a random one while there are too few to choose."""
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        alive = [t for t in done if architecture_of(t, self._space)][-self._population :]
        if len(alive) < self._population:
            return self._space.sample(self._rng)
        drawn = self._rng.choice(len(alive), self._tournament, replace=False)
        parent = _fittest([alive[i] for i in drawn], study)
        return self._space.mutate(self._space.architecture(parent.params), self._rng)


@SAMPLERS.register("evolution")
def evolution(
    context: Context, seed: int, *, population: int = 12, tournament: int = 4
) -> optuna.samplers.BaseSampler:
    """Regularised (aging) evolution, as the ENERZAi entry of Mobile AI 2022 used it."""
    return EvolutionSampler(context.space, seed, population, tournament)


def _fittest(trials: Sequence[FrozenTrial], study: optuna.Study) -> FrozenTrial:
    """The first trial that no other dominates: with one objective, the best."""
    signs = [1 if d == optuna.study.StudyDirection.MAXIMIZE else -1 for d in study.directions]

    def gains(trial: FrozenTrial) -> tuple[float, ...]:
        return tuple(s * v for s, v in zip(signs, trial.values, strict=True))

    def dominated(trial: FrozenTrial) -> bool:
        own = gains(trial)
        return any(
            all(g >= o for g, o in zip(gains(other), own, strict=True)) and gains(other) != own
            for other in trials
        )

    return next(t for t in trials if not dominated(t))

"""Optuna's own samplers, with the settings that conditional spaces need."""

from __future__ import annotations

import warnings

import optuna
from optuna.trial import FrozenTrial

from .context import Context
from .registry import SAMPLERS


@SAMPLERS.register("random")
def random(context: Context, seed: int) -> optuna.samplers.BaseSampler:
    """Every choice uniformly."""
    return optuna.samplers.RandomSampler(seed=seed)


@SAMPLERS.register("tpe")
def tpe(context: Context, seed: int, *, startup: int = 10) -> optuna.samplers.BaseSampler:
    """Tree-structured Parzen estimator; `group` models the conditional choices jointly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=startup, multivariate=True, group=True
        )


class ReproducibleNSGAIISampler(optuna.samplers.NSGAIISampler):
    """NSGA-II whose parents come in the order of their trials.

    Optuna hands them out in order of rank when it selects them and in order of trial when it
    reads them back from the storage, so that a resumed study would cross other pairs.
    """

    def select_parent(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """See `BaseGASampler.select_parent`."""
        return sorted(super().select_parent(study, generation), key=lambda trial: trial.number)


@SAMPLERS.register("nsga2")
def nsga2(context: Context, seed: int, *, population: int = 20) -> optuna.samplers.BaseSampler:
    """NSGA-II (Deb et al., 2002)."""
    return ReproducibleNSGAIISampler(seed=seed, population_size=population)

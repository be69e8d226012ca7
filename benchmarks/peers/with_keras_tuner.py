"""Keras Tuner's Bayesian optimisation on the tabular benchmark; `lookup` says how.

Needs: pip install keras-tuner scikit-learn scipy jax six requests, and KERAS_BACKEND=numpy.
"""

from __future__ import annotations

import tempfile
from typing import Any

import keras_tuner
from lookup import Methods, Study, main, score


def bayesian(study: Study, seed: int) -> None:
    """A Gaussian process with an upper confidence bound, of the score."""

    class Tuner(keras_tuner.BayesianOptimization):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
            parameters = trial.hyperparameters
            config = {}
            for name, values in study.choices.items():
                if type(values[0]) is bool:
                    config[name] = parameters.Boolean(name)
                else:
                    ordered = type(values[0]) is int
                    config[name] = parameters.Choice(name, values, ordered=ordered)
            return score(*study.psnr_and_runtime(config))

    with tempfile.TemporaryDirectory() as folder:
        Tuner(
            objective=keras_tuner.Objective("default_objective", "max"),
            max_trials=10 * study.trials,
            num_initial_points=10,
            seed=seed,
            directory=folder,
        ).search(verbose=0)


METHODS: Methods = {("Keras Tuner Bayesian", "score"): bayesian}

if __name__ == "__main__":
    main(METHODS)

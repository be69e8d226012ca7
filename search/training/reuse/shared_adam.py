"""Adam for weights of which every step reaches some: each counts its own steps.

Keras' optimizer takes a hundred small ops for what is one op here, and that, without a traced
function, is most of a step of a super-network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from search.training.optimizer import rate_share
from search.training.recipe import Recipe
from search.training.schedule import learning_rates

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
"""Of Kingma and Ba, "Adam", ICLR 2015, and Keras."""


class SharedAdam:
    """Adam by a recipe's rates, clipping and averaging."""

    def __init__(self, variables: Sequence[tf.Variable], recipe: Recipe) -> None:
        self._variables = variables
        self._rates = learning_rates(recipe)
        self._recipe = recipe
        self._moments = [
            (tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables
        ]
        self._averages = [tf.Variable(v) for v in variables]
        self._counts = [0] * len(variables)
        self._step = 0

    def apply(self, gradients: Mapping[int, Any]) -> None:
        """One step of the variables with these numbers."""
        clipped, _ = tf.clip_by_global_norm(list(gradients.values()), self._recipe.clip_norm)
        rate = float(self._rates[min(self._step, len(self._rates) - 1)])
        self._step += 1
        for number, gradient in zip(gradients, clipped, strict=True):
            self._update(number, gradient, rate)

    def finalize_variable_values(self, variables: Sequence[tf.Variable]) -> None:
        """Set `variables`, all of them in order, to their averages; as Keras' optimizers do."""
        for variable, average in zip(variables, self._averages, strict=True):
            variable.assign(average)

    def _update(self, number: int, gradient: Any, rate: float) -> None:
        variable, (mean, square) = self._variables[number], self._moments[number]
        self._counts[number] += 1
        rate *= rate_share(tuple(variable.shape), self._recipe.full_rate_inputs)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.handle,
            v=square.handle,
            beta1_power=BETA_1 ** self._counts[number],
            beta2_power=BETA_2 ** self._counts[number],
            lr=rate,
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=EPSILON,
            grad=gradient,
        )
        # An average begins with the first step, not with the start, as Keras' does.
        share = 1 - self._recipe.ema_momentum if self._counts[number] > 1 else 1.0
        average = self._averages[number]
        average.assign_sub(share * (average - variable))

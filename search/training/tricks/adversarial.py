"""Adversarial training: Wasserstein critics of patches learn beside the network."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from search.training.losses.adversarial import critic_loss, generator_loss, patch_discriminator
from search.training.recipe import Adversarial

from .trick import Sight, Trick


def adversarial(settings: Adversarial, seed: int) -> Trick:
    """The mean over critics of -E[critic(prediction)]; each critic takes one step a batch.

    Sensebrain and ZJUT-Vision, Mobile AI 2022: two patch discriminators of different depths,
    Adam with momenta 0 and 0.9.
    """
    critics = [patch_discriminator(depth, settings.width) for depth in settings.depths]
    variables = [v for critic in critics for v in critic.trainable_variables]
    optimizer = keras.optimizers.Adam(settings.learning_rate, beta_1=0.0, beta_2=0.9)
    optimizer.build(variables)

    def loss(sight: Sight) -> Any:
        scores = [generator_loss(critic, sight.prediction) for critic in critics]
        return settings.weight * tf.add_n(scores) / len(critics)

    def update(sight: Sight) -> None:
        with tf.GradientTape() as tape:
            losses = [
                critic_loss(
                    critic,
                    sight.y,
                    sight.prediction,
                    # Other mixtures at every step, and for every critic.
                    seed=seed + index + len(critics) * sight.step,
                    penalty=settings.penalty,
                )
                for index, critic in enumerate(critics)
            ]
            total = tf.add_n(losses) / len(critics)
        optimizer.apply(tape.gradient(total, variables), variables)

    return Trick(loss, update=update, state=[*variables, *optimizer.variables])

"""Domain-adversarial training: features that do not tell which camera took the picture.

Ganin and Lempitsky, ICML 2015, as in DANN-ISP. Its two data sets are replaced by two cameras
on one: the second has other gains of its channels, drawn for each picture.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from search.training.losses.transfer import reverse_gradient
from search.training.recipe import Domain

from .trick import Sight, Trick

_WIDTH = 64


def domain(settings: Domain, channels: int, seed: int) -> Trick:
    """Cross-entropy of a classifier of `channels` features behind a gradient reversal."""
    features = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(_WIDTH, 3, padding="same", activation="relu")(features)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(_WIDTH, activation="relu")(x)
    classifier = keras.Model(features, keras.layers.Dense(1)(x))

    def loss(sight: Sight) -> Any:
        _, other = sight.run(_other_camera(sight.x, settings.gain_spread, seed, sight.step))
        entropies = []
        for taps, label in ((sight.taps, 0.0), (other, 1.0)):
            logits = classifier(reverse_gradient(taps[settings.features]))
            labels = tf.fill(tf.shape(logits), label)
            entropies.append(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
        return settings.weight * tf.reduce_mean(tf.stack(entropies))

    return Trick(loss, classifier.trainable_variables)


def _other_camera(x: Any, spread: float, seed: int, step: Any) -> Any:
    shape = (tf.shape(x)[0], 1, 1, x.shape[-1])
    key = tf.stack([seed, tf.cast(step, tf.int32)])
    return x * tf.random.stateless_uniform(shape, key, 1 - spread, 1 + spread, x.dtype)

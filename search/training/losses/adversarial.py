"""Wasserstein GAN with gradient penalty, and its patch discriminator.

Gulrajani et al., NeurIPS 2017; patches as in Isola et al., CVPR 2017. Sensebrain and
ZJUT-Vision average two discriminators of different depths and weigh the penalty with 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from spaces.ops.layers import InstanceNorm

Critic = Callable[[Any], Any]
"""Images [B, H, W, 3] -> scores of their patches [B, h, w, 1]"""


def patch_discriminator(layers: int, width: int = 64) -> keras.Model:
    """`layers` 4x4 convolutions of stride 2, doubling up to 8 `width`, then one to a score.

    Instance normalisation but in the first, never batch normalisation: the penalty is of each
    image by itself. Images [B, H, W, 3], H and W multiples of 2^layers.
    """
    x = image = keras.Input((None, None, 3))
    for index in range(layers):
        x = keras.layers.Conv2D(width * 2 ** min(index, 3), 4, strides=2, padding="same")(x)
        if index:
            x = InstanceNorm()(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
    return keras.Model(image, keras.layers.Conv2D(1, 4, padding="same")(x))


def generator_loss(critic: Critic, prediction: Any) -> Any:
    """-E[critic(prediction)]"""
    return -tf.reduce_mean(critic(prediction))


def critic_loss(
    critic: Critic, target: Any, prediction: Any, *, seed: Any, penalty: float = 1.0
) -> Any:
    """E[critic(prediction)] - E[critic(target)] + penalty * E[(|gradient| - 1)^2].

    The gradient is the critic's at a random mixture of each pair, its length over H, W and C.
    `seed`, an integer or a tensor of one, draws the mixture. The prediction gets no gradient.
    """
    prediction = tf.stop_gradient(prediction)
    scores = tf.reduce_mean(critic(prediction)) - tf.reduce_mean(critic(target))
    return scores + penalty * gradient_penalty(critic, target, prediction, seed)


def gradient_penalty(critic: Critic, target: Any, prediction: Any, seed: Any) -> Any:
    """E[(|gradient of the critic at a mixture of target and prediction| - 1)^2]"""
    target = tf.convert_to_tensor(target)
    shape = (target.shape[0], 1, 1, 1)
    share = tf.random.stateless_uniform(shape, (seed, 0), dtype=target.dtype)
    mixture = share * target + (1 - share) * prediction
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        score = tf.reduce_sum(tf.reduce_mean(critic(mixture), axis=(1, 2, 3)))
    gradient = tape.gradient(score, mixture)
    length = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)) + 1e-12)
    return tf.reduce_mean(tf.square(length - 1))

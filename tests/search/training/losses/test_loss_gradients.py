"""Gradients against finite differences, of the losses that need more than target and prediction."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from search.training.losses.adversarial import (
    critic_loss,
    generator_loss,
    gradient_penalty,
    patch_discriminator,
)
from search.training.losses.bokeh import BOKEH_LOSSES, in_focus_mask
from search.training.losses.transfer import feature_distillation_loss


def images(seed, side=16, count=2):
    return np.random.default_rng(seed).uniform(0.1, 0.9, (count, side, side, 3))


def check(loss, start, step=1e-6, rel=1e-3):
    """The slope along random directions, from the gradient and from two values of the loss."""
    variables = [tf.Variable(value) for value in start]
    with tf.GradientTape() as tape:
        value = loss(*variables)
    gradients = tape.gradient(value, variables)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        directions = [rng.normal(size=v.shape) for v in variables]
        pairs = zip(gradients, directions, strict=True)
        # What the loss does not depend on has no gradient.
        expected = sum(float(np.sum(g * d)) for g, d in pairs if g is not None)

        def moved(size, directions=directions):
            return float(
                loss(
                    *map(
                        tf.constant, (s + size * d for s, d in zip(start, directions, strict=True))
                    )
                )
            )

        ahead, behind = moved(step), moved(-step)
        assert expected == pytest.approx((ahead - behind) / (2 * step), rel=rel, abs=1e-9)
        assert abs(expected) > 1e-9


@pytest.mark.parametrize("name", list(BOKEH_LOSSES))
def test_bokeh_losses(name):
    target, photograph = images(0), images(1)
    # Some of the picture in focus, so that neither part of a mask is empty.
    photograph[:, :, :8] = target[:, :, :8] + 0.01
    mask = in_focus_mask(photograph, target).numpy()
    assert mask.min() < 0.2
    assert mask.max() > 0.6
    check(lambda p: BOKEH_LOSSES[name](target, p, photograph), [images(2)])


def test_distillation():
    teacher = [images(0), images(1)]
    check(lambda *student: feature_distillation_loss(student, teacher), [images(2), images(3)])


@pytest.fixture
def critic():
    """Of double precision, as finite differences of a gradient's length need it."""
    keras.utils.set_random_seed(0)
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        return patch_discriminator(2, width=4)
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def with_weights(critic, weights):
    """The critic as a function, computed from other weights than its own."""
    return lambda x: critic.stateless_call(weights, [], x)[0]


def test_the_network_is_pulled_towards_what_the_critic_likes(critic):
    check(lambda p: generator_loss(critic, p), [images(1)])


@pytest.mark.parametrize("part", ["penalty", "whole"])
def test_the_critic_learns_through_the_length_of_its_gradient(critic, part):
    """Second derivatives: a penalty without them would not train."""
    target, prediction = images(0), tf.constant(images(1))

    def loss(*weights):
        judge = with_weights(critic, weights)
        if part == "penalty":
            return gradient_penalty(judge, target, prediction, seed=3)
        return critic_loss(judge, target, prediction, seed=3, penalty=10.0)

    check(loss, [v.numpy() for v in critic.trainable_variables])

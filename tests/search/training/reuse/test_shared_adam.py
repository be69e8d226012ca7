"""Adam on shared weights, against Keras' where every step reaches all of them."""

import keras
import numpy as np
import tensorflow as tf

from search.training.loop import averaged_weights
from search.training.optimizer import make_optimizer
from search.training.recipe import Recipe
from search.training.reuse.shared_adam import SharedAdam
from search.training.schedule import learning_rates

RECIPE = Recipe(steps=12, warmup_steps=3, learning_rate=0.05, full_rate_inputs=18, clip_norm=0.7)
SHAPES = [(3, 3, 4, 5), (5,), (3, 3, 5, 1)]


def gradients_at(step):
    rng = np.random.default_rng(step)
    return [tf.constant(rng.standard_normal(shape), tf.float32) for shape in SHAPES]


def start():
    rng = np.random.default_rng(99)
    return [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]


def test_it_is_keras_adam_where_every_step_reaches_all():

    ours = [tf.Variable(value) for value in start()]
    theirs = [keras.Variable(value) for value in start()]
    optimizer, reference = SharedAdam(ours, RECIPE), make_optimizer(RECIPE)
    reference.build(theirs)
    for step in range(RECIPE.steps):
        optimizer.apply(dict(enumerate(gradients_at(step))))
        reference.apply(gradients_at(step), theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-4, atol=2e-5)
    optimizer.finalize_variable_values(ours)
    reference.finalize_variable_values(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-4, atol=2e-5)


def test_what_a_step_does_not_reach_stays_and_counts_no_step():
    one, other = (tf.Variable(start()[0]) for _ in range(2))
    optimizer = SharedAdam([one, other], RECIPE)
    optimizer.apply({0: gradients_at(0)[0]})
    np.testing.assert_array_equal(other.numpy(), start()[0])
    # Its first step is a whole one, as Adam's first step of anything is.
    optimizer.apply({1: gradients_at(0)[0]})
    moved = np.abs(other.numpy() - start()[0])
    rate = learning_rates(RECIPE)[1] * 18 / 36
    np.testing.assert_allclose(moved, rate, rtol=0.05)


def test_averages_are_lent_and_given_back():
    variable = tf.Variable(start()[1])
    optimizer = SharedAdam([variable], RECIPE)
    for step in range(3):
        optimizer.apply({0: gradients_at(step)[1]})
    now = variable.numpy()
    with averaged_weights([variable], optimizer):
        assert not np.array_equal(variable.numpy(), now)
    np.testing.assert_array_equal(variable.numpy(), now)

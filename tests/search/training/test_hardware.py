"""Reduced precision and XLA, on the CPU: both run there, if slowly."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_training import RECIPE, fresh

from search.training.hardware import taps_in
from search.training.loop import train
from spaces.ops.keras_backend import Network


def trained(data, **settings):
    model = fresh()
    outcome = train(model, RECIPE.model_copy(update=settings), data, seed=0)
    return model, outcome.psnr_db


@pytest.fixture(scope="module")
def plain(data):
    return trained(data)


def largest_difference(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.parametrize("settings", [{"precision": "bfloat16"}, {"xla": True}])
def test_nearly_the_same_network_comes_of_it(data, plain, settings):
    model, psnr_db = trained(data, **settings)
    assert 0 < largest_difference(model, plain[0]) < 0.05
    assert psnr_db == pytest.approx(plain[1], abs=0.1)
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}


def with_constants_and_own_layers(ops, x):
    """What is no plain layer of Keras."""
    x = ops.fixed_depthwise(x, [[0.25, 0.5, 0.25]])
    x = ops.channel_bias(ops.conv(x, 8, 3, branches="ecb"))
    x = ops.instance_norm(ops.activation(x, "prelu"))
    x = ops.multiply(x, ops.channel_gates(ops.global_average(x), 3))
    x = ops.add(x, ops.attend(x, x, ops.layer_norm(x)))
    x = ops.shift(ops.power(ops.scale(ops.activation(x, "sigmoid"), 0.5), 0.7), 0.1)
    x = ops.conv(x, 3, 1, stride=2, name="last")
    return ops.fixed_mix(x, np.eye(3).tolist())


def test_every_kind_of_layer_has_a_bfloat16():
    keras.utils.set_random_seed(0)
    model = Network(with_constants_and_own_layers, 4)
    x = tf.random.uniform((1, 16, 16, 4), seed=0)
    exact, _ = taps_in(model, "float32", x)
    with tf.GradientTape() as tape:
        output, taps = taps_in(model, "bfloat16", x)
    gradients = tape.gradient(output, model.trainable_variables)
    assert {tensor.dtype for tensor in (output, *taps.values())} == {tf.float32}
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    difference = tf.reduce_mean(abs(output - exact)) / tf.math.reduce_std(exact)
    assert 0 < float(difference) < 0.1
    # The network itself is as it was.
    np.testing.assert_array_equal(taps_in(model, "float32", x)[0], exact)

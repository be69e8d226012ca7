"""Kernels rounded for what they see: on the grid, at their old scale, better than the nearest."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from spaces.ops.fake_quant import QuantisedNetwork
from spaces.ops.keras_backend import Network
from spaces.ops.kernel_rounding import fit_kernel, rounded_kernel, seen_by_kernel
from spaces.ops.layers import PointwiseOfSome


def smooth(seed=0, channels=6):
    """[4, 24, 24, channels]: positive, and like its neighbours, as pictures are."""
    rng = np.random.default_rng(seed)
    coarse = tf.image.resize(rng.random((4, 4, 4, channels), np.float32), (24, 24))
    return coarse + 0.02 * rng.random(coarse.shape, np.float32)


LAYERS = {
    "conv": lambda: keras.layers.Conv2D(8, 3, padding="same"),
    "strided": lambda: keras.layers.Conv2D(8, 3, strides=2, padding="same"),
    "valid": lambda: keras.layers.Conv2D(8, 5, padding="valid"),
    "pointwise": lambda: PointwiseOfSome(8, 1, strides=2),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(3, padding="same"),
    "dilated": lambda: keras.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_weights_make_up_for_each_other(kind):
    keras.utils.set_random_seed(0)
    layer, x, unseen = LAYERS[kind](), smooth(), smooth(1)
    exact = layer(unseen).numpy()
    plain, before = rounded_kernel(layer), layer.kernel.numpy()

    def harm(kernel):
        values = [kernel if v is layer.kernel else v.value for v in layer.trainable_variables]
        return np.mean(np.square(layer.stateless_call(values, [], unseen)[0] - exact))

    nearest = harm(plain)
    fit_kernel(layer, seen_by_kernel(layer, x).numpy().astype(np.float64))
    after = layer.kernel.numpy()
    assert harm(rounded_kernel(layer)) < 0.5 * nearest
    np.testing.assert_allclose(rounded_kernel(layer), after, atol=1e-6)
    others = (0, 1, 3) if "Depthwise" in type(layer).__name__ else (0, 1, 2)
    np.testing.assert_array_equal(np.abs(before).max(others), np.abs(after).max(others))


def test_what_is_transposed_or_has_no_bias_is_left_alone():
    x = smooth()
    for layer in (
        keras.layers.Conv2DTranspose(8, 2, strides=2),
        keras.layers.Conv2D(8, 3, use_bias=False),
    ):
        layer(x)
        assert seen_by_kernel(layer, x) is None


def test_large_crops_are_seen_in_places():
    layer, x = LAYERS["conv"](), smooth()
    layer(x)
    large = tf.image.resize(x, (144, 144))
    found, whole = seen_by_kernel(layer, large), seen_by_kernel(layer, x)
    np.testing.assert_allclose(found, whole, atol=0.1)


def test_a_dead_input_is_no_trouble():
    layer = keras.layers.Conv2D(4, 3)
    x = np.zeros((1, 8, 8, 2), np.float32)
    layer(x)
    fit_kernel(layer, seen_by_kernel(layer, x).numpy().astype(np.float64))
    assert np.isfinite(layer.kernel.numpy()).all()
    np.testing.assert_array_equal(layer.bias.numpy(), 0)


def test_a_tone_curve_is_rounded_as_one_small_correction():
    network = Network(lambda ops, x: ops.tone_curve(ops.activation(x, "relu")), 3)
    x = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    quantised = QuantisedNetwork(network)
    quantised.calibrate([x])
    error = quantised(x).numpy() - network(x).numpy()
    # In steps of 1/255 it is 0.48; of the powers apart, 0.89.
    assert np.sqrt(np.mean(np.square(error))) < 0.6 / 255

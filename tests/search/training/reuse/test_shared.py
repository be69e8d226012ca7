"""Weights that many networks are cut from."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from unets import SPACE, architecture, fresh, images

from search.training.reuse.inheritance import inherit
from search.training.reuse.shared import SharedWeights
from search.training.reuse.storage import load_donor, save_donor
from spaces import SPACES
from spaces.elastic import draw_between, draw_largest, smallest
from spaces.ops.keras_backend import Network
from spaces.wiring import wiring


def layers_of(chosen, space=SPACE):
    return wiring(space.bind(chosen), space.input_channels)


@settings(max_examples=10, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_a_cut_network_is_the_keras_model_with_its_weights(seed):
    """Whatever the sizes: each is a reference for the other."""
    rng = np.random.default_rng(seed)
    space = SPACE.narrow({"levels": [0, 1, 2], "stacks": [1, 2]})
    largest = draw_largest(space, rng)
    drawn = [smallest(space, largest), draw_between(space, largest, rng), largest]
    keras.utils.set_random_seed(seed)
    shared = SharedWeights(layers_of(chosen) for chosen in drawn)
    for chosen in drawn[:2]:
        model = Network(space.bind(chosen), space.input_channels)
        assert inherit(model, layers_of(chosen), shared.donor()).share == 1
        ours = shared.run(space.bind(chosen), layers_of(chosen), tf.constant(images()))
        np.testing.assert_allclose(np.array(ours), np.array(model(images())), atol=2e-5)
    keras.backend.clear_session()


def test_gradients_reach_what_a_network_is_cut_from_and_nothing_else():
    small, large = architecture(levels=0), architecture(width_0=12)
    shared = SharedWeights([layers_of(small), layers_of(large)])
    used = shared.used(layers_of(small))
    assert 0 < len(used) < len(shared.variables)
    with tf.GradientTape() as tape:
        output = shared.run(SPACE.bind(small), layers_of(small), tf.constant(images()))
        loss = tf.reduce_sum(output**2)
    gradients = tape.gradient(loss, shared.variables)
    reached = {n for n, gradient in enumerate(gradients) if gradient is not None}
    assert reached == set(used)
    stem = next(n for n in used if shared.variables[n].shape == (3, 3, 4, 12))
    assert np.any(np.array(gradients[stem])[..., :8])
    assert not np.any(np.array(gradients[stem])[..., 8:])


def test_an_adopted_layer_is_zero_beside_what_is_given():
    small, large = architecture(), architecture(width_0=12)
    shared = SharedWeights([layers_of(small), layers_of(large)])
    model, layers = fresh(small)
    head = next(i for i, layer in enumerate(layers) if layer.arguments.get("name") == "head")
    shared.adopt(layers[head], model.parts[head].get_weights())
    bigger, bigger_layers = fresh(large, seed=2)
    inherit(bigger, bigger_layers, shared.donor())
    kernel = bigger.parts[head].kernel.numpy()
    np.testing.assert_array_equal(kernel[:, :, :8], model.parts[head].kernel.numpy())
    assert not np.any(kernel[:, :, 8:])


def test_they_are_read_back_as_they_were_written(tmp_path):
    shared = SharedWeights([layers_of(architecture(up="transposed", activation="prelu"))])
    save_donor(tmp_path / "weights.npz", shared.donor())
    donor, again = shared.donor(), load_donor(tmp_path / "weights.npz")
    assert again.layers == donor.layers
    assert [layer.arguments for layer in again.layers] == [
        layer.arguments for layer in donor.layers
    ]
    for ours, theirs in zip(donor.weights, again.weights, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_layers_that_cannot_be_cut_are_refused():
    space = SPACES["blocks_isp"].narrow({"block_0": ["instance3"], "levels": [0]})
    chosen = space.sample(np.random.default_rng(0))
    with pytest.raises(ValueError, match="cannot share the weights of instance_norm"):
        SharedWeights([layers_of(chosen, space)])

"""Branches merge to one convolution that computes the same, and export as that."""

import keras
import numpy as np
import pytest

from latency import read_tflite
from search.export.conversion.convert import convert
from search.export.conversion.signature import run_tflite
from spaces.ops.keras_backend import Network
from spaces.ops.reparam import REPARAMETERISED
from spaces.ops.trace import trace

CASES = [
    ("erep", 1, 4, 12), ("erep", 3, 4, 12), ("erep", 5, 4, 12), ("erep", 3, 8, 8),
    ("repvgg", 1, 8, 8), ("repvgg", 3, 8, 8), ("repvgg", 5, 4, 8), ("ecb", 3, 4, 12),
    ("ecb", 3, 8, 8),
]  # fmt: skip


def trained(layer, channels):
    """Weights, and statistics of batch normalisations, that are nothing special."""
    layer(np.zeros((1, 8, 8, channels), np.float32))
    rng = np.random.default_rng(0)
    for variable in layer.variables:
        values = rng.normal(scale=0.3, size=variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    return layer


@pytest.mark.parametrize(("branches", "kernel", "source", "target"), CASES)
def test_the_merged_convolution_computes_what_the_branches_do(branches, kernel, source, target):
    layer = trained(REPARAMETERISED[branches](target, kernel), source)
    x = np.random.default_rng(1).random((2, 16, 12, source), np.float32)
    expected = np.array(layer(x, training=False))
    found = np.array(layer.deployed()(x))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_the_number_of_branches_is_the_papers():
    sizes = {5: 10, 3: 8, 1: 2}
    for kernel, count in sizes.items():
        layer = trained(REPARAMETERISED["erep"](12, kernel), 4)
        assert len(layer.plain) + len(layer.normalised) == count


def test_batch_statistics_move_in_training_only():
    layer = trained(REPARAMETERISED["repvgg"](4, 3), 4)
    before = layer.norms[0].get_weights()[2].copy()
    x = np.random.default_rng(1).random((4, 8, 8, 4), np.float32)
    layer(x, training=False)
    np.testing.assert_array_equal(layer.norms[0].get_weights()[2], before)
    layer(x, training=True)
    assert (layer.norms[0].get_weights()[2] != before).any()


def network(ops, x):
    x = ops.activation(ops.conv(x, 8, branches="erep"), "relu")
    x = ops.activation(ops.conv(x, 8, branches="repvgg"), "relu")
    return ops.conv(ops.conv(x, 8, branches="ecb"), 3)


def test_an_export_holds_the_merged_network():
    keras.utils.set_random_seed(0)
    model = Network(network, 4)
    frame = np.random.default_rng(1).random((1, 32, 32, 4), np.float32)
    for _ in range(3):
        model(frame, training=True)
    file = convert(model, (32, 32, 4))
    graph = read_tflite(file)
    assert [op.kind for op in graph.ops] == ["CONV_2D"] * 4
    assert graph.parameters == trace(network, (32, 32, 4)).parameters
    expected = np.array(model(frame, training=False))
    np.testing.assert_allclose(
        run_tflite(file)(frame), expected, atol=1e-5 * np.abs(expected).max()
    )
    assert model.deployed().count_params() == graph.parameters < model.count_params()


def test_a_network_without_branches_deploys_as_itself():
    model = Network(lambda ops, x: ops.conv(x, 3), 4)
    assert model.deployed() is model


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(ValueError, match="stride 1"):
        Network(lambda ops, x: ops.conv(x, 3, stride=2, branches="erep"), 4)
    with pytest.raises(ValueError, match="3x3, not 5x5"):
        Network(lambda ops, x: ops.conv(x, 3, 5, branches="ecb"), 4)

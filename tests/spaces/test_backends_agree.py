"""The traced graph and the exported file of one architecture are the same to the oracle."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency import load_profile, lower, read_tflite
from search.export.conversion.convert import convert
from search.export.conversion.signature import run_tflite
from spaces import SPACES
from spaces.ops.keras_backend import Network

DEVICES = ("snapdragon-8-gen-1", "kirin-9000")
SMALL = {
    "unet_isp": (64, 96),
    "unet_bokeh": (64, 128),
    "blocks_isp": (64, 96),
    "blocks_bokeh": (64, 128),
}


def randomised(space, architecture) -> Network:
    """A network without zeros: the converter folds away what adds nothing."""
    keras.utils.set_random_seed(0)
    model = Network(space.bind(architecture), space.input_channels)
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.01 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


def kernels(graph, device):
    """In the order of their launch."""
    lowering = lower(graph, load_profile(device).gpu)
    assert not lowering.fallbacks
    return lowering.kernels


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SPACES))
@settings(max_examples=8, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_traced_and_exported_graphs_lower_to_the_same_kernels(name, seed):
    space = SPACES[name]
    architecture = space.sample(np.random.default_rng(seed))
    size = SMALL[name]
    file = convert(randomised(space, architecture), (*size, space.input_channels))
    exported, traced = read_tflite(file), space.trace(architecture, *size)
    for device in DEVICES:
        assert kernels(exported, device) == kernels(traced, device), architecture.to_json()
    assert exported.parameters == traced.parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SPACES))
def test_exported_file_computes_what_keras_computes(name):
    space = SPACES[name].narrow({"levels": [1], "stacks": [2]})
    architecture = space.sample(np.random.default_rng(3))
    model = randomised(space, architecture)
    shape = (*SMALL[name], space.input_channels)
    frame = np.random.default_rng(0).random((1, *shape), np.float32)
    expected = model(frame).numpy()
    output = run_tflite(convert(model, shape))(frame)
    np.testing.assert_allclose(output, expected, atol=1e-5 * np.abs(expected).max())


def test_one_model_serves_every_size():
    space = SPACES["unet_isp"]
    architecture = space.narrow({"levels": [2]}).sample(np.random.default_rng(0))
    model = Network(space.bind(architecture), 4)
    for height, width in ((32, 32), (64, 96)):
        assert model(np.zeros((2, height, width, 4), np.float32)).shape == (
            2,
            2 * height,
            2 * width,
            3,
        )


def test_parameters_of_model_and_trace_agree():
    space = SPACES["unet_isp"]
    for seed in range(5):
        architecture = space.sample(np.random.default_rng(seed))
        model = Network(space.bind(architecture), 4)
        assert model.count_params() == space.trace(architecture, 64, 64).parameters


def test_a_fresh_network_passes_its_input_to_the_head():
    """The closed-form start relies on it: the first features are the input itself."""
    space = SPACES["unet_isp"].narrow(
        {
            "levels": [0],
            "packing": [1],
            "stem": ["conv3"],
            "conv": ["conv3"],
            "width_0": [16],
            "activation": ["relu"],
            "stem_activation": ["same"],
            "attention_0": [False],
        }
    )
    model = Network(space.bind(space.sample(np.random.default_rng(0))), 4)
    x = np.random.default_rng(0).random((1, 32, 32, 4), np.float32)
    _, taps = model.taps(x)
    np.testing.assert_allclose(taps["head"].numpy()[..., :4], x, atol=1e-6)


def test_strided_pointwise_convolutions_train_where_the_stride_divides_the_side():
    """TensorFlow's own gradient of them corrupts memory."""
    import tensorflow as tf

    model = Network(lambda ops, x: ops.conv(x, 4, 1, stride=3, padding="valid"), 4)
    x = tf.constant(np.random.default_rng(0).random((1, 96, 96, 4), np.float32))
    for _ in range(20):
        with tf.GradientTape() as tape:
            y = model(x, training=True)
            loss = tf.reduce_sum(tf.square(y))
        assert np.isfinite(tape.gradient(loss, model.trainable_variables)[0]).all()
    np.testing.assert_allclose(y, model(x, training=False), atol=1e-5)

"""Blocks as Keras functions against their definitions, and as graphs against their exports."""

from collections import Counter

import keras
import numpy as np
import pytest

from latency import load_profile, lower, read_tflite
from search.export.convert import convert
from search.export.verify import run_tflite
from spaces.blocks.attention import ATTENTION
from spaces.blocks.naf import naf_block, simple_gate
from spaces.blocks.residual import residual_group
from spaces.blocks.wavelet import haar_dwt, haar_idwt
from spaces.ops.keras_backend import KerasOps, Network
from spaces.ops.trace import trace

GPU = load_profile("snapdragon-8-gen-1").gpu


def images(channels, size=8, seed=0):
    return np.random.default_rng(seed).random((2, size, size, channels), np.float32)


def randomised(network, channels):
    keras.backend.clear_session()
    model = Network(network, channels)
    rng = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(rng.normal(scale=0.3, size=variable.shape))
    return model


@pytest.mark.parametrize("channels", [1, 3])
def test_the_wavelet_transform_of_four_pixels_by_hand(channels):
    x = images(channels)
    bands = np.array(haar_dwt(KerasOps(), x)).reshape(2, 4, 4, 4, channels)
    a, b, c, d = x[:, ::2, ::2], x[:, ::2, 1::2], x[:, 1::2, ::2], x[:, 1::2, 1::2]
    expected = [a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d]
    for band, values in enumerate(expected):
        np.testing.assert_allclose(bands[..., band, :], values / 2, atol=1e-6)


def test_the_inverse_wavelet_transform_gives_the_image_back():
    x = images(3)
    ops = KerasOps()
    bands = haar_dwt(ops, x)
    np.testing.assert_allclose(haar_idwt(ops, bands), x, atol=1e-6)
    # Orthonormal: the energy stays.
    np.testing.assert_allclose(np.square(bands).sum(), np.square(x).sum(), rtol=1e-5)


def test_a_simple_gate_is_a_product_of_halves():
    x = images(6)
    np.testing.assert_allclose(simple_gate(KerasOps(), x), x[..., :3] * x[..., 3:])


def test_layer_norm_is_that_of_each_pixel():
    model = Network(lambda ops, x: ops.layer_norm(x), 6)
    x = images(6)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(model(x), expected, atol=1e-4)


def test_channel_gates_look_at_neighbouring_channels_only():
    model = randomised(lambda ops, x: ops.channel_gates(ops.global_average(x), 3), 8)
    x = np.zeros((1, 4, 4, 8), np.float32)
    base = np.array(model(x))
    x[..., 3] = 1
    changed = np.flatnonzero(np.abs(np.array(model(x)) - base) > 1e-7)
    assert list(changed) == [2, 3, 4]


@pytest.mark.parametrize("name", list(ATTENTION))
def test_gates_lie_between_zero_and_one(name):
    model = randomised(lambda ops, x: ATTENTION[name](ops, x), 8)
    x = images(8) + 0.1
    ratio = np.array(model(x)) / x
    assert (ratio > 0).all()
    assert (ratio < 1).all()


def fixed_blur(ops, x):
    return ops.fixed_depthwise(x, ((1, 2, 1), (2, 4, 2), (1, 2, 1)))


BLOCKS = {
    **{name: (lambda ops, x, name=name: ATTENTION[name](ops, x)) for name in ATTENTION},
    "naf": naf_block,
    "residual": lambda ops, x: residual_group(ops, x, 2),
    "wavelet": lambda ops, x: haar_idwt(ops, ops.activation(haar_dwt(ops, x), "relu")),
    "blur": fixed_blur,
}


@pytest.mark.parametrize("name", list(BLOCKS))
def test_trace_and_export_agree_and_the_export_computes_what_keras_does(name):
    def network(ops, x):
        return ops.conv(BLOCKS[name](ops, ops.conv(x, 8)), 3)

    model = randomised(network, 4)
    file = convert(model, (64, 48, 4))
    traced, exported = trace(network, (64, 48, 4)), read_tflite(file)
    assert not lower(exported, GPU).fallbacks
    assert Counter(lower(traced, GPU).kernels) == Counter(lower(exported, GPU).kernels)
    frame = np.random.default_rng(1).random((1, 64, 48, 4), np.float32)
    expected = np.array(model(frame))
    np.testing.assert_allclose(
        run_tflite(file)(frame), expected, atol=2e-5 * np.abs(expected).max()
    )

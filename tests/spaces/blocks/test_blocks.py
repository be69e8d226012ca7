"""Blocks as Keras functions against their definitions, and as graphs against their exports."""

import numpy as np
import pytest

from latency import load_profile, lower, read_tflite
from search.export.convert import convert
from search.export.verify import run_tflite
from spaces.blocks.attention import ATTENTION, channel_spatial_attention, self_attention
from spaces.blocks.colour import colour_gains, gamma, tone_curve
from spaces.blocks.distillation import dense_group, distillation_block
from spaces.blocks.mobile import inverted_residual, mobilevit_v2
from spaces.blocks.naf import naf_block, simple_gate
from spaces.blocks.residual import attention_block, residual_group
from spaces.blocks.wavelet import haar_dwt, haar_idwt
from spaces.ops.keras_backend import KerasOps, Network
from spaces.ops.trace import trace

GPU = load_profile("snapdragon-8-gen-1").gpu


def images(channels, size=8, seed=0):
    return np.random.default_rng(seed).random((2, size, size, channels), np.float32)


def randomised(network, channels):
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


def test_self_attention_is_that_of_a_loop_over_pixels():
    def network(ops, x):
        return ops.attend(ops.channel_range(x, 0, 2), ops.channel_range(x, 2, 4), x)

    model = Network(network, 5)
    x = images(5, size=4)
    (share,) = model.get_weights()
    pixels = x.reshape(2, 16, 5)
    expected = np.empty_like(pixels)
    for image, values in enumerate(pixels):
        for index, pixel in enumerate(values):
            weights = np.exp(values[:, 2:4] @ pixel[:2])
            expected[image, index] = share * (weights @ values) / weights.sum()
    np.testing.assert_allclose(np.array(model(x)).reshape(2, 16, 5), expected, atol=1e-6)


def test_both_forms_of_mobilevit_compute_the_same():
    """As its authors wrote it, with tensors of rank 6, and in what the delegate takes."""

    def network(delegable, ops, x):
        return mobilevit_v2(ops, x, 8, 2, delegable=delegable)

    ours = randomised(lambda ops, x: network(True, ops, x), 6)
    theirs = randomised(lambda ops, x: network(False, ops, x), 6)
    theirs.set_weights(ours.get_weights())
    x = images(6, size=12)
    expected = np.array(theirs(x))
    np.testing.assert_allclose(ours(x), expected, atol=1e-5 * np.abs(expected).max())


def test_the_delegate_refuses_mobilevit_as_its_authors_wrote_it_only():
    def refused(delegable):
        graph = trace(lambda ops, x: mobilevit_v2(ops, x, 8, 1, delegable=delegable), (16, 16, 6))
        return {f.reason for f in lower(graph, GPU).fallbacks}

    assert not refused(True)
    assert any("rank 6" in reason for reason in refused(False))


def test_folding_gives_back_what_was_unfolded():
    x = images(3, size=8)[:1, :, :6]
    ops = KerasOps()
    rows = ops.unfold(x, 2)
    assert rows.shape == (1, 4, 12, 3)
    np.testing.assert_array_equal(rows[0, 1], x[0, ::2, 1::2].reshape(12, 3))
    np.testing.assert_array_equal(ops.fold(rows, 2, 8), x)


def test_an_inverted_residual_adds_its_input_where_shapes_allow():
    added = trace(lambda ops, x: inverted_residual(ops, x, 6), (16, 16, 6))
    for options in ({"width": 8}, {"width": 6, "stride": 2}):
        other = trace(lambda ops, x, o=options: inverted_residual(ops, x, **o), (16, 16, 6))
        assert sum(op.kind == "ADD" for op in other.ops) == 0
    assert sum(op.kind == "ADD" for op in added.ops) == 1


def test_tone_curve_and_gamma_by_hand():
    ops = KerasOps()
    x = np.array([0.0, 0.25, 0.5, 1.0], np.float32).reshape(1, 1, 4, 1)
    np.testing.assert_allclose(np.ravel(tone_curve(ops, x)), [0, 0.15625, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(np.ravel(gamma(ops, x)), np.ravel(x) ** (1 / 2.2), atol=1e-3)


def test_colour_gains_are_one_number_a_channel():
    gains = np.array(randomised(colour_gains, 6)(images(6)))
    assert gains.shape == (2, 1, 1, 3)
    assert ((gains > 0) & (gains < 1)).all()


def fixed_blur(ops, x):
    return ops.fixed_depthwise(x, ((1, 2, 1), (2, 4, 2), (1, 2, 1)))


BLOCKS = {
    **{name: (lambda ops, x, name=name: ATTENTION[name](ops, x)) for name in ATTENTION},
    "naf": naf_block,
    "channel_spatial": channel_spatial_attention,
    "self_attention": self_attention,
    "distillation": distillation_block,
    "dense": lambda ops, x: dense_group(ops, x, 2),
    "attention_group": lambda ops, x: residual_group(ops, x, 1, attention_block),
    "inverted_residual": lambda ops, x: inverted_residual(ops, x, 8),
    "mobilevit": lambda ops, x: mobilevit_v2(ops, x, 8, 1),
    "gains": lambda ops, x: ops.multiply(x, colour_gains(ops, x, 8)),
    "tone": lambda ops, x: tone_curve(ops, gamma(ops, ops.activation(x, "sigmoid"))),
    "instance_norm": lambda ops, x: ops.instance_norm(x, affine=False),
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
    assert lower(traced, GPU).kernels == lower(exported, GPU).kernels
    frame = np.random.default_rng(1).random((1, 64, 48, 4), np.float32)
    expected = np.array(model(frame))
    np.testing.assert_allclose(
        run_tflite(file)(frame), expected, atol=2e-5 * np.abs(expected).max()
    )

"""Blocks as Keras functions against their definitions, and as graphs against their exports."""

import numpy as np
import pytest
import tensorflow as tf

from latency import load_profile, lower, read_tflite
from search.export.conversion.convert import convert
from search.export.conversion.signature import run_tflite
from spaces.blocks.attention import ATTENTION, NOT_GATES, self_attention
from spaces.blocks.colour import TONE, colour_gains, gamma, tone_curve
from spaces.blocks.down import DOWN
from spaces.blocks.features import FEATURES
from spaces.blocks.filters import FILTERS, with_filtered
from spaces.blocks.mobile import inverted_residual, mobilevit_v2
from spaces.blocks.naf import simple_gate
from spaces.blocks.residual import attention_block, residual_group
from spaces.blocks.up import UP
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
        values = rng.normal(scale=0.3, size=variable.shape)
        variable.assign(np.abs(values) if "variance" in variable.path else values)
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


@pytest.mark.parametrize("name", [n for n in ATTENTION if n not in NOT_GATES])
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


@pytest.mark.parametrize("name", list(TONE))
def test_tone_operations_have_finite_gradients_of_any_value(name):
    x = tf.reshape(tf.constant([-1.0, -1e-9, 0.0, 1e-9, 1e-4, 0.5, 1.0, 2.0]), (1, 1, 8, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = TONE[name].apply(KerasOps(), x)
    assert np.isfinite(y).all()
    assert np.isfinite(tape.gradient(y, x)).all()
    if name != "none":
        np.testing.assert_allclose(np.ravel(y)[[0, 6]], [0, 1], atol=1e-3)


@pytest.mark.parametrize("name", list(TONE))
def test_tone_operations_can_be_undone(name):
    y = np.linspace(0, 1, 11, dtype=np.float32).reshape(1, 1, 11, 1)
    x = TONE[name].undo(y)
    assert ((x >= -1e-6) & (x <= 1 + 1e-6)).all()
    np.testing.assert_allclose(TONE[name].apply(KerasOps(), x), y, atol=1e-3)


def test_filtered_copies_stand_behind_the_input():
    x = images(2)
    y = np.array(with_filtered(KerasOps(), x, FILTERS["gauss_sobel"]))
    np.testing.assert_array_equal(y[..., :2], x)
    middle = x[:, 3:6, 3:6]
    for index, taps in enumerate(FILTERS["gauss_sobel"], start=1):
        expected = np.einsum("hw,nhwc->nc", taps, middle)
        np.testing.assert_allclose(y[:, 4, 4, 2 * index : 2 * index + 2], expected, atol=1e-5)


def test_a_block_is_projected_only_where_channels_differ():
    def convolutions(width):
        graph = trace(lambda ops, x: FEATURES["residual"](ops, x, width, "relu"), (8, 8, 8))
        return [op.constants[0] for op in graph.ops if op.kind == "CONV_2D"]

    assert convolutions(8) == [(8, 3, 3, 8)] * 2
    assert convolutions(12) == [(12, 1, 1, 8)] + [(12, 3, 3, 12)] * 2


@pytest.mark.parametrize("name", list(FEATURES))
def test_feature_blocks_keep_the_size_and_give_the_width(name):
    for channels in (4, 12):
        graph = trace(lambda ops, x: FEATURES[name](ops, x, 12, "prelu"), (8, 16, channels))
        assert graph.tensors[graph.outputs[0]].shape == (1, 8, 16, 12)


def activations_of_a_shuffle(ops, x):
    """The converter moves both before it."""
    return ops.exp(ops.activation(ops.depth_to_space(x, 2), "sigmoid"))


def gate_of_a_shuffle(ops, x):
    """Read twice: the activation stays where it is."""
    y = ops.depth_to_space(x, 2)
    return ops.multiply(y, ops.activation(y, "sigmoid"))


BLOCKS = {
    **{f"attention {n}": lambda ops, x, n=n: ATTENTION[n](ops, x) for n in ATTENTION},
    **{f"feature {n}": lambda ops, x, n=n: FEATURES[n](ops, x, 12, "relu") for n in FEATURES},
    **{f"down {n}": lambda ops, x, n=n: DOWN[n](ops, x, 12, "relu") for n in DOWN},
    **{f"up {n}": lambda ops, x, n=n: UP[n](ops, x, 4) for n in UP},
    **{f"filter {n}": lambda ops, x, n=n: with_filtered(ops, x, FILTERS[n]) for n in FILTERS},
    **{f"tone {n}": lambda ops, x, n=n: TONE[n].apply(ops, bright(ops, x)) for n in TONE},
    "self_attention": self_attention,
    "attention_group": lambda ops, x: residual_group(ops, x, 1, attention_block),
    "gains": lambda ops, x: ops.multiply(x, colour_gains(ops, x, 8)),
    "instance_norm": lambda ops, x: ops.instance_norm(x, affine=False),
    "activations_of_a_shuffle": activations_of_a_shuffle,
    "gate_of_a_shuffle": gate_of_a_shuffle,
}


def bright(ops, x):
    """Away from black, where a gamma would make much of a small difference."""
    return ops.shift(ops.activation(x, "sigmoid"), 0.1)


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
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(
        run_tflite(file)(frame), expected, atol=2e-5 * np.abs(expected).max()
    )

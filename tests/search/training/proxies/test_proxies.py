"""Each proxy against a computation of its own."""

import math

import keras
import numpy as np
import pytest

from search.config import PROXY_NAMES
from search.networks import Candidate
from search.training.loop import train
from search.training.proxies import PROXIES, measured
from spaces import SPACES


def linear(ops, x):
    return ops.depth_to_space(ops.conv(x, 12, 1), 2)


def two_layers(ops, x):
    return ops.depth_to_space(ops.conv(ops.conv(x, 5, 1), 12, 1), 2)


def switching(ops, x):
    return ops.depth_to_space(ops.conv(ops.activation(ops.conv(x, 6, 3), "relu"), 12, 1), 2)


def searched():
    space = SPACES["unet_isp"].narrow(
        {"levels": [1], "stacks": [1], "width_0": [8], "width_1": [8], "conv": ["conv3"]}
    )
    return Candidate(space.bind(space.sample(np.random.default_rng(1))), 4)


def with_biases(subject):
    """Biases start at zero, which would hide them."""
    rng = np.random.default_rng(0)
    for w in subject.model.trainable_variables:
        w.assign(w + 0.1 * rng.normal(size=w.shape))
    return [np.asarray(w, np.float64) for w in subject.model.trainable_variables]


def test_configs_know_every_proxy():
    assert sorted(PROXY_NAMES) == sorted(PROXIES)


def test_gradient_norm_is_that_of_one_layer_by_hand(subject_of):
    subject = subject_of(linear)
    kernel, bias = with_biases(subject)
    x, y = (a.astype(np.float64) for a in subject.crops)
    # Depth to space with a block of 2: pixel (i, j) of a block is in channels 3 (2 i + j) on.
    count, side = len(x), x.shape[1]
    wanted = y.reshape(count, side, 2, side, 2, 3).transpose(0, 1, 3, 2, 4, 5)
    rows = x.reshape(-1, 4)
    error = rows @ kernel[0, 0] + bias - wanted.reshape(-1, 12)
    gradients = [2 * rows.T @ error / error.size, 2 * error.sum(axis=0) / error.size]
    norm = math.sqrt(sum((g**2).sum() for g in gradients))
    assert PROXIES["gradient_norm"].measure(subject) == pytest.approx(math.log2(norm), abs=1e-4)


def test_gradient_norm_looks_at_the_solved_output_layers(subject_of):
    """They are at the least squares' minimum, where an untrained body still has a gradient."""
    drawn = PROXIES["gradient_norm"].measure(subject_of(searched(), closed_form_images=0))
    begun = PROXIES["gradient_norm"].measure(subject_of(searched()))
    assert begun < drawn


def test_synflow_is_the_flow_of_two_layers_by_hand(subject_of):
    subject = subject_of(two_layers)
    first, first_bias, second, second_bias = (np.abs(w) for w in with_biases(subject))
    pixels = subject.crops[0].shape[1] ** 2
    out = second[0, 0].sum(axis=1)
    hidden = first[0, 0].sum(axis=0) + first_bias
    # Biases and both kernels: what of the output passes through each.
    through = first[0, 0].sum(axis=0) @ out, first_bias @ out, hidden @ out, second_bias.sum()
    expected = math.log2(pixels * sum(through))
    assert PROXIES["synflow"].measure(subject) == pytest.approx(expected, abs=1e-4)


def test_synflow_leaves_the_weights_as_they_were(subject_of):
    subject = subject_of(searched())
    before = [w.numpy() for w in subject.model.trainable_variables]
    PROXIES["synflow"].measure(subject)
    for old, now in zip(before, subject.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, now.numpy())


def test_naswot_counts_what_crops_switch_alike(subject_of):
    subject = subject_of(switching)
    kernel, *_ = subject.model.trainable_variables
    # Without a mean it switches on edges: of inputs above zero it would be on or off everywhere.
    kernel.assign(kernel - keras.ops.mean(kernel, axis=(0, 1), keepdims=True))
    sums = keras.ops.conv(subject.crops[0], kernel, padding="same")
    on = (np.asarray(sums) > 0).reshape(16, -1)
    alike = np.array([[np.mean(a == b) for b in on] for a in on])
    expected = math.log(np.linalg.det(alike))
    assert PROXIES["naswot"].measure(subject) == pytest.approx(expected, rel=1e-3)


def test_ridge_probe_is_rung_0_of_a_training(subject_of):
    probed, trained = subject_of(searched()), subject_of(searched())
    outcome = train(trained.model, trained.recipe, trained.data, seed=0, rungs=(0, 2))
    step, psnr_db = outcome.curve[0]
    assert step == 0
    assert PROXIES["ridge_probe"].measure(probed) == psnr_db


def test_all_at_once_are_what_each_is_alone(subject_of):
    names = ["gradient_norm", "ridge_probe", "naswot", "synflow"]
    values = measured(names, subject_of(searched()))
    assert list(values) == names
    for name in names:
        assert values[name] == pytest.approx(PROXIES[name].measure(subject_of(searched())))


def test_what_is_no_finite_number_is_none(subject_of):
    assert measured(["naswot"], subject_of(linear)) == {"naswot": None}

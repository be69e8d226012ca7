"""Losses against hand-computed values and numerical gradients."""

import math

import numpy as np
import pytest
import tensorflow as tf

from search.training.losses import LOSSES

TARGET = np.zeros((2, 4, 4, 3), np.float32)
TENTH = np.full((2, 4, 4, 3), 0.1, np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l1", 0.1),
        ("mse", 0.01),
        ("psnr", math.log(0.01 + 1e-8)),
        ("charbonnier", math.sqrt(0.01 + 1e-6)),
    ],
)
def test_value_by_hand(name, expected):
    assert float(LOSSES[name](TARGET, TENTH)) == pytest.approx(expected, rel=1e-5)


def test_psnr_loss_is_psnr_up_to_a_factor():
    rng = np.random.default_rng(0)
    target, prediction = rng.random((2, 3, 8, 8, 3), np.float32)
    psnr = tf.image.psnr(target, prediction, max_val=1.0).numpy().mean()
    loss = float(LOSSES["psnr"](target, prediction))
    assert loss == pytest.approx(-psnr * math.log(10) / 10, rel=1e-4)


@pytest.mark.parametrize("name", list(LOSSES))
def test_gradient_agrees_with_finite_differences(name):
    rng = np.random.default_rng(0)
    target = tf.constant(rng.random((1, 4, 4, 3)))
    prediction = tf.constant(rng.random((1, 4, 4, 3)))
    theoretical, numerical = tf.test.compute_gradient(
        lambda p: LOSSES[name](target, p), [prediction], delta=1e-6
    )
    np.testing.assert_allclose(theoretical[0], numerical[0], atol=1e-5)


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_perfect_prediction_has_a_finite_gradient(name):
    prediction = tf.Variable(TARGET)
    with tf.GradientTape() as tape:
        loss = LOSSES[name](TARGET, prediction)
    assert np.isfinite(tape.gradient(loss, prediction).numpy()).all()

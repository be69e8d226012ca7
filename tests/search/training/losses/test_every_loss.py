"""What every loss of a recipe must do: be zero or least at the target, and have a gradient."""

import numpy as np
import pytest
import tensorflow as tf

from search.training.losses import LOSSES
from search.training.losses.bokeh import BOKEH_LOSSES, in_focus_mask
from search.training.recipe import BOKEH_NAMES, LOSS_NAMES

USABLE = [name for name in LOSSES if name != "patch_printed"]
SIDE = 16


def images(seed, count=2, dtype=np.float64, side=SIDE):
    return np.random.default_rng(seed).uniform(0.1, 0.9, (count, side, side, 3)).astype(dtype)


def test_recipes_know_every_loss():
    assert sorted(LOSS_NAMES) == sorted(LOSSES)


def test_recipes_know_the_losses_of_photographs():
    assert tuple(BOKEH_LOSSES) == BOKEH_NAMES


def test_the_mask_is_one_where_the_target_is_the_photograph():
    photograph = np.random.default_rng(0).random((1, 40, 40, 3), np.float32)
    target = photograph.copy()
    target[:, :, 20:] = photograph[:, :, 20:].mean((1, 2), keepdims=True)
    mask = np.array(in_focus_mask(photograph, target))
    assert mask.shape == (1, 40, 40, 1)
    np.testing.assert_allclose(mask[:, :, :16], 1)
    assert mask[:, :, 24:].max() < 0.05


@pytest.mark.parametrize("name", USABLE)
def test_a_scalar_of_the_predictions_type(name):
    loss = LOSSES[name](images(0, dtype=np.float32), tf.constant(images(1, dtype=np.float32)))
    assert loss.shape == ()
    assert loss.dtype == tf.float32
    assert np.isfinite(loss)


@pytest.mark.parametrize("name", USABLE)
def test_gradient_agrees_with_finite_differences(name):
    target, prediction = images(0, 1), tf.constant(images(1, 1))
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        loss = LOSSES[name](target, prediction)
    gradient = tape.gradient(loss, prediction).numpy()
    if name in ("outlier_aware", "patch_stable"):
        # Their weights count as constants, which a difference quotient would not.
        assert (np.sign(gradient) * np.sign(prediction - target) >= 0).all()
        assert np.abs(gradient).max() > 0
        return
    rng = np.random.default_rng(2)
    for _ in range(12):
        step = np.zeros_like(target)
        step[(0, *rng.integers(0, SIDE, 2), rng.integers(0, 3))] = 1e-6
        ahead, behind = (float(LOSSES[name](target, prediction + s)) for s in (step, -step))
        expected = (ahead - behind) / 2e-6
        assert (gradient * step).sum() / 1e-6 == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", USABLE)
def test_a_perfect_prediction_is_the_best_and_has_a_finite_gradient(name):
    target = images(0, dtype=np.float32)
    prediction = tf.Variable(target)
    with tf.GradientTape() as tape:
        best = LOSSES[name](target, prediction)
    assert np.isfinite(tape.gradient(best, prediction).numpy()).all()
    for seed in (1, 2):
        noise = np.random.default_rng(seed).normal(scale=0.05, size=target.shape)
        assert LOSSES[name](target, tf.constant(target + noise.astype(np.float32))) > best
    if name not in ("psnr", "charbonnier"):
        assert float(best) == pytest.approx(0, abs=2e-5)


@pytest.mark.parametrize("name", USABLE)
def test_black_images_are_harmless(name):
    prediction = tf.Variable(np.zeros((1, SIDE, SIDE, 3), np.float32))
    with tf.GradientTape() as tape:
        loss = LOSSES[name](np.zeros((1, SIDE, SIDE, 3), np.float32), prediction)
    assert np.isfinite(tape.gradient(loss, prediction).numpy()).all()

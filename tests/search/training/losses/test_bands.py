"""Losses of wavelet bands: the bands by hand, and what a recipe makes of their names."""

import numpy as np
import pytest
import tensorflow as tf

from search.errors import UserError
from search.training.losses import LOSSES
from search.training.losses.bands import BANDS, detail_bands, low_band, on_band
from search.training.recipe import BAND_LOSSES, Recipe
from spaces.blocks.wavelet import haar_dwt
from spaces.ops.keras_backend import KerasOps


def images(seed, count=2, side=24):
    return np.random.default_rng(seed).random((count, side, side, 3)).astype(np.float32)


def test_the_bands_are_those_of_the_networks_transform():
    x = images(0)
    low, *details = np.split(np.array(haar_dwt(KerasOps(), x)), 4, axis=-1)
    np.testing.assert_allclose(low_band(x), low / 2, atol=1e-6)
    np.testing.assert_allclose(low_band(x), x.reshape(2, 12, 2, 12, 2, 3).mean((2, 4)), atol=1e-6)
    found = np.array(detail_bands(x))
    np.testing.assert_allclose(found, np.concatenate(details), atol=1e-6)
    assert (np.abs(found) <= 1).all()


def test_bands_and_recipes_have_the_same_names():
    assert tuple(BANDS) == tuple(BAND_LOSSES)


def test_each_band_is_blind_to_the_other():
    target = images(0)
    checkers = 0.1 * (-1.0) ** np.add.outer(np.arange(24), np.arange(24))[None, :, :, None]
    brighter, rougher = target + np.float32(0.1), target + checkers.astype(np.float32)
    low, details = (on_band(band, LOSSES["l1"]) for band in ("low", "details"))
    assert float(low(target, brighter)) == pytest.approx(0.1, abs=1e-5)
    assert float(details(target, brighter)) == pytest.approx(0, abs=1e-5)
    assert float(low(target, rougher)) == pytest.approx(0, abs=1e-5)
    # Only the diagonal band sees them, twice as large: (a - b - c + d) / 2.
    assert float(details(target, rougher)) == pytest.approx(0.2 / 3, abs=1e-5)


@pytest.mark.parametrize("name", ["low:ssim", "details:l1", "details:charbonnier"])
def test_the_gradient_agrees_with_finite_differences(name):
    band, _, base = name.partition(":")
    loss = on_band(band, LOSSES[base])
    target, start = images(0).astype(np.float64), images(1).astype(np.float64)
    prediction = tf.Variable(start)
    with tf.GradientTape() as tape:
        value = loss(target, prediction)
    gradient = tape.gradient(value, prediction).numpy()
    direction = np.random.default_rng(2).normal(size=start.shape)
    ahead, behind = (float(loss(target, tf.constant(start + s * direction))) for s in (1e-6, -1e-6))
    assert (gradient * direction).sum() == pytest.approx((ahead - behind) / 2e-6, rel=1e-3)


def test_a_recipe_knows_the_loss_behind_a_band():
    recipe = Recipe(loss={"details:l1": 1, "low:ssim": 0.1, "mse": 1})
    assert recipe.loss_names == {"l1", "ssim", "mse"}


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("high:l1", "no band called 'high' .high:l1.; there are: low, details"),
        ("details:ssim", "no loss of the band details called 'ssim'; there are: l1, mse"),
        ("low:l3", "no loss of the band low called 'l3'"),
        ("low:bokeh_edge", "no loss of the band low called 'bokeh_edge'"),
        (":l1", "no band called ''"),
    ],
)
def test_what_is_no_band_is_named(tiny_config, loss, message):
    with pytest.raises(UserError, match=message):
        tiny_config(training={"loss": {loss: 1.0}})


def test_a_classifiers_loss_of_a_band_needs_its_weights():
    with pytest.raises(ValueError, match="vgg19 needs perceptual_weights"):
        Recipe(loss={"low:vgg19": 1.0})
    recipe = Recipe(loss={"low:vgg19": 1.0, "l1": 1.0}, perceptual_weights={"vgg19": "x.h5"})
    assert recipe.without(["vgg19"]).loss == {"l1": 1.0}

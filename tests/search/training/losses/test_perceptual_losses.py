"""Perceptual losses with weights of a file; no network here, so the weights are random."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from search.errors import UserError
from search.training.losses.perceptual import CLASSIFIERS, perceptual_loss
from search.training.recipe import PERCEPTUAL_NAMES


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for name, classifier in CLASSIFIERS.items():
        keras.utils.set_random_seed(0)
        classifier.make(include_top=False, weights=None).save_weights(folder / f"{name}.weights.h5")
    return folder


def images(seed):
    return np.random.default_rng(seed).random((1, 64, 64, 3), np.float32)


def test_recipes_know_the_classifiers():
    assert set(PERCEPTUAL_NAMES) == set(CLASSIFIERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CLASSIFIERS))
def test_the_distance_of_features(name, files):
    loss = perceptual_loss(name, files / f"{name}.weights.h5")
    target, prediction = images(0), tf.Variable(images(1))
    with tf.GradientTape() as tape:
        found = loss(target, prediction)
    gradient = tape.gradient(found, prediction).numpy()
    assert np.isfinite(gradient).all()
    assert float(loss(target, tf.constant(target))) == 0
    # Along the gradient, where rounding to single precision matters least.
    step = 1e-3 * gradient / np.abs(gradient).max()
    ahead, behind = (float(loss(target, prediction + sign * step)) for sign in (1, -1))
    assert ahead - behind == pytest.approx(2 * np.sum(gradient * step), rel=0.05)

    keras.utils.set_random_seed(0)
    model = CLASSIFIERS[name].make(include_top=False, weights=None)
    distances = []
    for layer in CLASSIFIERS[name].layers:
        part = keras.Model(model.input, model.get_layer(layer).output)
        a, b = (
            np.array(part(CLASSIFIERS[name].prepare(255 * x.copy()), training=False))
            for x in (target, prediction.numpy())
        )
        distances.append(np.mean(np.square(a - b) if name == "vgg19" else np.abs(a - b)))
    assert float(found) == pytest.approx(np.mean(distances), rel=1e-4)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no file .*none\.h5 for vgg19"):
        perceptual_loss("vgg19", tmp_path / "none.h5")


def test_a_file_of_something_else_is_named(tmp_path):
    (tmp_path / "x.weights.h5").write_text("hello")
    with pytest.raises(UserError, match=r"vgg19 cannot be read from .*x\.weights\.h5") as caught:
        perceptual_loss("vgg19", tmp_path / "x.weights.h5")
    assert "\n" not in str(caught.value)


def test_an_impossible_download_is_one_line(monkeypatch):
    def unreachable(*arguments, **options):
        raise OSError("URL fetch failure: no route to host\nmore")

    # Stands for a machine without a network, whatever this one has.
    monkeypatch.setattr("keras.src.applications.vgg19.file_utils.get_file", unreachable)
    with pytest.raises(UserError, match="vgg19 cannot be downloaded: URL fetch failure") as caught:
        perceptual_loss("vgg19", "imagenet")
    assert "\n" not in str(caught.value)

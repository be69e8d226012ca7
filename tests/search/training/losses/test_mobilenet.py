"""The loss `mobilenet_v2` with real ImageNet weights, on real photographs."""

import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
import skimage.data
from mobilenet_weights import mobilenet_v2, torch_tensors
from PIL import Image
from scipy.ndimage import gaussian_filter

from search.data.pairs import PreparedPairs
from search.data.sample import prepare_sample
from search.training.data import training_data
from search.training.evaluation import predict_images
from search.training.loop import train
from search.training.losses.perceptual import CLASSIFIERS, perceptual_loss
from search.training.recipe import Recipe
from spaces.ops.keras_backend import Network

FOLDERS = Path(__file__).parents[4] / "search/data/photos", Path(skimage.data.__file__).parent
CATS, ESPRESSO, ALP = {281, 282, 285}, {967}, {970}
ROCKETS = {657, 744, 812}
"""Missile, projectile, space shuttle."""
TWO_WHEELED = {665, 670}
"""Moped and motor scooter; ImageNet has no motorcycle."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """As a user keeps it: the whole network, with its classes."""
    path = tmp_path_factory.mktemp("mobilenet") / "mobilenet_v2.weights.h5"
    mobilenet_v2(224).save_weights(path)
    return path


@pytest.fixture(scope="module")
def loss(file):
    return perceptual_loss("mobilenet_v2", file)


def photograph(name):
    """The middle square of one, uint8."""
    (path,) = (path for folder in FOLDERS for path in folder.glob(f"{name}.*"))
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


@pytest.fixture(scope="module")
def cat():
    return photograph("chelsea")[None, 22:278, 22:278].astype(np.float32) / 255


def blurred(images, sigma):
    return gaussian_filter(images, (0, sigma, sigma, 0))


def noisy(images, sigma):
    noise = np.random.default_rng(0).normal(scale=sigma, size=images.shape)
    return np.clip(images + noise, 0, 1).astype(np.float32)


def shown(name, side):
    image = Image.fromarray(photograph(name)).resize((side, side), Image.Resampling.BILINEAR)
    return np.array(image, np.float32)[None]


@pytest.mark.parametrize("side", [224, 225])
def test_photographs_are_what_they_show(side):
    model = mobilenet_v2(side)
    prepare = CLASSIFIERS["mobilenet_v2"].prepare

    def ranked(name):
        return [int(i) for i in model(prepare(shown(name, side))).numpy()[0].argsort()[::-1]]

    assert set(ranked("chelsea")[:3]) == CATS
    assert ranked("coffee")[0] in ESPRESSO
    assert ranked("picosdeeuropa_by_Aitzol_Berasategi")[0] in ALP
    assert set(ranked("motorcycle_left")[:3]) > TWO_WHEELED
    assert ROCKETS & set(ranked("rocket")[:3])


def test_equal_images_are_nothing_apart(loss, cat):
    assert float(loss(cat, cat.copy())) == 0


@pytest.mark.parametrize(
    ("worse", "strengths"), [(blurred, (0.5, 1, 2, 4)), (noisy, (0.01, 0.03, 0.1))]
)
def test_more_of_a_distortion_is_worse(loss, cat, worse, strengths):
    distances = [float(loss(cat, worse(cat, strength))) for strength in strengths]
    assert distances[0] > 0
    assert distances == sorted(distances)
    another = photograph("coffee")[None, :256, :256].astype(np.float32) / 255
    assert distances[-1] < float(loss(cat, another))


def test_lost_detail_counts_more_than_a_little_less_light(loss, cat):
    darker, blurry = 0.9 * cat, blurred(cat, 1)
    assert np.abs(darker - cat).mean() > 2 * np.abs(blurry - cat).mean()
    assert float(loss(cat, darker)) < 0.3 * float(loss(cat, blurry))


def tiny_isp(ops, x):
    x = ops.activation(ops.conv(x, 8), "relu")
    return ops.depth_to_space(ops.conv(x, 12, init="random"), 2)


@pytest.mark.slow
def test_a_network_is_trained_with_it(file, loss, data_root):
    root = prepare_sample("isp", data_root, seed=0, train=16, val=4, patch=128)
    data = training_data(PreparedPairs(root, "train"), PreparedPairs(root, "val"), 4)
    validation = data.validation
    target = validation.targets / np.float32(255)

    def after(steps):
        recipe = Recipe(
            steps=steps,
            batch=2,
            warmup_steps=0,
            closed_form_images=0,
            ema_momentum=0,
            loss={"l1": 1.0, "mobilenet_v2": 0.5},
            perceptual_weights={"mobilenet_v2": str(file)},
        )
        keras.utils.set_random_seed(0)
        model = Network(tiny_isp, 4)
        before = predict_images(model, validation.inputs)
        train(model, recipe, data, seed=0)
        return before, predict_images(model, validation.inputs)

    def total(prediction):
        return np.abs(prediction - target).mean() + 0.5 * float(loss(target, prediction))

    (start, one_step), (_, more_steps) = after(1), after(30)
    assert total(one_step) < total(start)
    assert total(more_steps) < 0.9 * total(start)
    assert float(loss(target, more_steps)) < float(loss(target, start))


class _Call:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_reading_a_file_runs_nothing_of_it(tmp_path):
    with (tmp_path / "x.pth").open("wb") as file:
        pickle.dump(_Call(tmp_path / "touched"), file)
    with pytest.raises(pickle.UnpicklingError, match="is not needed for tensors"):
        torch_tensors(tmp_path / "x.pth")
    assert not (tmp_path / "touched").exists()

"""Perceptual losses: distances of features of a classifier trained on ImageNet.

The classifiers are Keras applications. Their weights come from a file, or from Keras' own
download where the user asks for that with `DOWNLOAD`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from search.errors import UserError
from search.training.recipe import DOWNLOAD, can_be_had

from .registry import Loss


@dataclass(frozen=True)
class Classifier:
    """Which features of a Keras application are compared, and how.

    `layers`: after their ReLU. `distance`: of an error, element by element.
    """

    make: Callable[..., keras.Model]
    prepare: Callable[[Any], Any]
    layers: tuple[str, ...]
    distance: Callable[[Any], Any]


CLASSIFIERS: Mapping[str, Classifier] = {
    # relu5_4, mean squared: PyNET, PUNET, ZJUT-Vision.
    "vgg19": Classifier(
        keras.applications.VGG19,
        keras.applications.vgg19.preprocess_input,
        ("block5_conv4",),
        tf.square,
    ),
    # ENERZAi, Mobile AI 2022; layers and the absolute distance are assumed.
    "resnet50": Classifier(
        keras.applications.ResNet50,
        keras.applications.resnet50.preprocess_input,
        ("conv2_block3_out", "conv3_block4_out"),
        tf.abs,
    ),
    # No published system uses it: small enough to train with on a CPU. The widest features of a
    # half, a quarter and an eighth of the image's size.
    "mobilenet_v2": Classifier(
        keras.applications.MobileNetV2,
        keras.applications.mobilenet_v2.preprocess_input,
        ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu"),
        tf.abs,
    ),
}


def perceptual_loss(name: str, weights: str | Path) -> Loss:
    """The loss of classifier `name`: mean over its layers of the mean distance, 0 and up.

    `weights`: a file of Keras weights (without the top, or with), or `DOWNLOAD`.
    Raises UserError for weights that cannot be had or do not fit.
    """
    classifier = CLASSIFIERS[name]
    features = _features(name, classifier, weights)

    def loss(target: Any, prediction: Any) -> Any:
        pairs = zip(features(target), features(prediction), strict=True)
        distances = [tf.reduce_mean(classifier.distance(p - t)) for t, p in pairs]
        return tf.add_n(distances) / len(distances)

    return loss


def _features(name: str, classifier: Classifier, weights: str | Path) -> Callable[[Any], list[Any]]:
    """Images [B, H, W, 3] in [0, 1] -> the features of each layer."""
    full = _loaded(name, classifier, weights)
    model = keras.Model(full.input, [full.get_layer(layer).output for layer in classifier.layers])
    model.trainable = False

    def features(images: Any) -> list[Any]:
        found = model(classifier.prepare(255.0 * tf.convert_to_tensor(images)), training=False)
        return list(found) if isinstance(found, list | tuple) else [found]

    return features


def _loaded(name: str, classifier: Classifier, weights: str | Path) -> keras.Model:
    if not can_be_had(str(weights)):
        raise UserError(f"perceptual_weights: no file {weights} for {name}")
    download = str(weights) == DOWNLOAD
    try:
        if download:
            return classifier.make(include_top=False, weights=DOWNLOAD)
        model = classifier.make(include_top=False, weights=None)
        model.load_weights(str(weights))
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"perceptual_weights: the weights of {name} cannot be "
            f"{'downloaded' if download else f'read from {weights}'}: {reason}"
        ) from error
    return model

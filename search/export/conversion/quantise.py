"""The networks that 8-bit files are made of: rounded to what they see, and trained on like that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from search.config import StudyConfig
from search.errors import UserError
from search.export.variant import EIGHT_BITS, Precision, Quantisation
from search.study.data import open_pairs, prepare_data
from search.training.data import TrainingData, plain_crops, training_data
from search.training.loop import TrainingDivergedError, train
from search.training.recipe import Recipe
from spaces.ops.fake_quant import QuantisedNetwork
from spaces.ops.keras_backend import Network

_BATCH = 8
"""Crops that are calibrated on at a time."""

_RATE_SHARE = 0.25
"""Of the recipe's learning rate: the network is trained already (docs/experiments.md)."""


def quantised_networks(
    model: Network,
    config: StudyConfig,
    precisions: Sequence[Precision],
    how: Quantisation,
) -> dict[Precision, Network]:
    """What the files of those `precisions` that have 8 bits are made of.

    `model`, trained by the study of `config`, is not changed. Equal arguments make equal networks.
    Raises UserError where there is no data, or the training diverges.
    """
    wanted = [precision for precision in precisions if precision in EIGHT_BITS]
    if not wanted:
        return {}
    data = prepare_data(config)
    seen = training_data(
        open_pairs(data, "train"),
        open_pairs(data, "val"),
        model.input_channels,
        encoding=config.training.encoding,
    )
    rounded = _rounded(model, config, seen, how.images)
    make: dict[Precision, Callable[[], Network]] = {
        "dynamic": rounded.in_floats,
        "int8": lambda: rounded,
        "int8_qat": lambda: _trained_on(rounded, model, config, seen, how.steps),
    }
    return {precision: make[precision]() for precision in wanted}


def fine_tuning(recipe: Recipe, steps: int) -> Recipe:
    """The recipe of a training in 8-bit arithmetic: the end of `recipe`, at a lower rate.

    The loss is that of its last stage; teacher, critics and levels have done their part.
    """
    last = recipe.stages[-1].loss if recipe.stages else None
    return recipe.shortened(steps).model_copy(
        update={
            "loss": last or recipe.loss,
            "learning_rate": _RATE_SHARE * recipe.learning_rate,
            "closed_form_images": 0,
            "stages": (),
            "levels": {},
            "teacher": None,
            "adversarial": None,
            "domain": None,
            "precision": "float32",
            "xla": False,
        }
    )


def _rounded(
    model: Network, config: StudyConfig, seen: TrainingData, images: int
) -> QuantisedNetwork:
    """`model` with ranges and kernels for what it sees in so many crops."""
    crops, _ = plain_crops(config.training, seen, images, seed=config.seed)
    network = QuantisedNetwork(model)
    batches = [crops[i : i + _BATCH] for i in range(0, len(crops), _BATCH)]
    network.calibrate(batches)
    network.fit_kernels(batches)
    return network


def _trained_on(
    rounded: QuantisedNetwork, model: Network, config: StudyConfig, seen: TrainingData, steps: int
) -> QuantisedNetwork:
    """A copy of `rounded`, which is of `model`, after so many steps in 8-bit arithmetic."""
    keras.utils.set_random_seed(config.seed)
    network = QuantisedNetwork(model)
    network.set_weights(rounded.get_weights())
    try:
        train(network, fine_tuning(config.training, steps), seen, seed=config.seed)
    except TrainingDivergedError as error:
        raise UserError(f"training in 8-bit arithmetic failed: {error}") from None
    return network

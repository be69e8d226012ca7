"""The networks that 8-bit files are made of: rounded to what they see, and trained on like that."""

from __future__ import annotations

from collections.abc import Sequence

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
    return {precision: _quantised(model, config, seen, precision, how) for precision in wanted}


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


def _quantised(
    model: Network, config: StudyConfig, seen: TrainingData, precision: Precision, how: Quantisation
) -> Network:
    crops, _ = plain_crops(config.training, seen, how.images, seed=config.seed)
    keras.utils.set_random_seed(config.seed)
    network = QuantisedNetwork(model)
    batches = [crops[i : i + _BATCH] for i in range(0, len(crops), _BATCH)]
    network.calibrate(batches)
    network.fit_kernels(batches)
    if precision == "dynamic":
        return network.in_floats()
    if precision == "int8_qat":
        try:
            train(network, fine_tuning(config.training, how.steps), seen, seed=config.seed)
        except TrainingDivergedError as error:
            raise UserError(f"training in 8-bit arithmetic failed: {error}") from None
    return network

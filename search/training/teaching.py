"""Teachers: published systems that are trained first, or whose weights are read."""

from __future__ import annotations

import keras

from search.artifacts import read_weights
from search.errors import UserError
from search.networks import candidate, zoo_architecture
from spaces.ops.keras_backend import Network

from .data import TrainingData
from .loop import train
from .published import teacher_recipe
from .recipe import Recipe


def make_teacher(recipe: Recipe, data: TrainingData, *, seed: int) -> Network | None:
    """The teacher that `recipe` asks for, None where it asks for none.

    Without a file of weights it is trained (`teacher_recipe`). Raises UserError for weights that
    do not fit.
    """
    settings = recipe.teacher
    if settings is None:
        return None
    network = candidate(zoo_architecture(settings.system))
    keras.utils.set_random_seed(seed)
    teacher = Network(network.network, network.input_channels)
    if settings.weights is not None:
        _load(teacher, settings.weights, settings.system)
    else:
        train(teacher, teacher_recipe(recipe), data, seed=seed)
    teacher.trainable = False
    return teacher


def _load(teacher: Network, path: str, system: str) -> None:
    try:
        teacher.set_weights(read_weights(path))
    except (OSError, ValueError) as error:
        raise UserError(f"teacher.weights: {path} does not fit {system}: {error}") from None

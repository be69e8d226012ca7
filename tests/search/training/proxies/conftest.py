"""Untrained networks of a few layers, on real sample data."""

import keras
import pytest

from search.networks import Candidate
from search.training.proxies import Subject
from search.training.recipe import Recipe
from spaces.ops.keras_backend import Network

RECIPE = Recipe(steps=6, batch=2, warmup_steps=2, closed_form_images=4, rung_images=2, loss="mse")


@pytest.fixture
def subject_of(data):
    """`Subject` of a network function, or of a `Candidate`."""

    def make(network, seed=0, **recipe):
        found = network if isinstance(network, Candidate) else Candidate(network, 4)
        keras.utils.set_random_seed(seed)
        model = Network(found.network, found.input_channels)
        return Subject(model, found, RECIPE.model_copy(update=recipe), data, seed)

    return make

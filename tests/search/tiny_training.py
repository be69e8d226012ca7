"""A tiny network of a search space, and a brief recipe for it."""

import keras
import numpy as np

from search.training.recipe import Recipe
from spaces import SPACES
from spaces.ops.keras_backend import Network

RECIPE = Recipe(
    steps=30, batch=4, warmup_steps=3, closed_form_images=16, rung_images=2, learning_rate=1e-3
)


def fresh(seed=0):
    keras.utils.set_random_seed(seed)
    space = SPACES["unet_isp"].narrow(
        {"levels": [1], "stacks": [1], "width_0": [8], "width_1": [8], "conv": ["conv3"]}
    )
    return Network(space.bind(space.sample(np.random.default_rng(1))), 4)

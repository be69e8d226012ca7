"""A small network of the ISP task that is quickly built and converted."""

import keras
import numpy as np

from spaces import SPACES
from spaces.ops.keras_backend import Network

SHAPE = (64, 96, 4)
SPACE = SPACES["unet_isp"].narrow({"levels": [1], "stacks": [1], "conv": ["conv3"]})
ARCHITECTURE = SPACE.sample(np.random.default_rng(0))


def build() -> Network:
    """The same weights at every call, and every one of them matters."""
    keras.utils.set_random_seed(0)
    model = Network(SPACE.bind(ARCHITECTURE), 4)
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.01 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model

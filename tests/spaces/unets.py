"""Small networks of the learned-ISP space, for the tests of wirings and of weight reuse."""

import keras
import numpy as np

from spaces import SPACES
from spaces.ops.keras_backend import Network
from spaces.wiring import wiring

CHOICES = {
    "packing": 1, "stem": "conv3", "stem_activation": "same", "activation": "relu",
    "conv": "conv3", "levels": 1, "stacks": 1, "down": "strided", "up": "depth_to_space",
    "skip": "concat", "width_0": 8, "convs_0": 1, "attention_0": False, "width_1": 16,
    "convs_1": 1, "attention_1": False, "head": "conv3", "global_path": "linear",
}  # fmt: skip

SPACE = SPACES["unet_isp"]


def architecture(**changes):
    chosen = CHOICES | changes
    return SPACE.complete(lambda choice: chosen[choice.name])


def built(chosen, seed=0):
    """A network with weights like a trained one's, none of them zero; and its wiring."""
    keras.utils.set_random_seed(seed)
    network = SPACE.bind(chosen)
    model = Network(network, SPACE.input_channels)
    rng = np.random.default_rng(seed)
    model.set_weights([w + 0.05 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model, wiring(network, SPACE.input_channels)


def fresh(chosen, seed=1):
    """A network as training starts it; and its wiring."""
    keras.utils.set_random_seed(seed)
    network = SPACE.bind(chosen)
    return Network(network, SPACE.input_channels), wiring(network, SPACE.input_channels)


def images(seed=0):
    return np.random.default_rng(seed).random((2, 32, 32, 4), np.float32)

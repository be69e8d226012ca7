"""Training of the weights that a space's networks share."""

import keras
import numpy as np
import pytest
from unets import SPACE

from search.errors import UserError
from search.study.data import open_pairs, prepare_data
from search.training.data import training_data
from search.training.recipe import Recipe
from search.training.reuse.inheritance import inherit
from search.training.reuse.recipe import SuperNetwork
from search.training.reuse.super_network import train_super_network
from spaces import SPACES
from spaces.ops.keras_backend import Network
from spaces.wiring import wiring

RECIPE = Recipe(steps=10, batch=2, warmup_steps=2, closed_form_images=8, rung_images=4)
NARROW = SPACE.narrow(
    {
        "levels": [0, 1], "stacks": [1], "packing": [1], "conv": ["conv3", "conv5"],
        "width_0": [8, 12], "width_1": [8, 16], "convs_0": [1, 2], "convs_1": [1],
        "stem": ["conv3"], "down": ["strided"], "up": ["depth_to_space"],
    }
)  # fmt: skip


@pytest.fixture
def data(tiny_config):
    config = tiny_config()
    source = prepare_data(config)
    return training_data(open_pairs(source, "train"), open_pairs(source, "val"), 4)


def trained(data, space=NARROW, **settings):
    keras.utils.set_random_seed(0)
    chosen = SuperNetwork(kind="super_network", **settings)
    return train_super_network(space, RECIPE, chosen, data, seed=0, rungs=(3,))


def same(a, b):
    pairs = zip(sum(a.weights, ()), sum(b.weights, ()), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.slow
def test_every_network_of_the_space_can_be_cut_from_it(data):
    outcome = trained(data, steps=8)
    assert [step for step, _ in outcome.curve] == [3, 8]
    assert all(20 < psnr_db < 40 for _, psnr_db in outcome.curve)
    rng = np.random.default_rng(1)
    for _ in range(4):
        chosen = NARROW.sample(rng)
        model = Network(NARROW.bind(chosen), 4)
        inherited = inherit(model, wiring(NARROW.bind(chosen), 4), outcome.donor)
        assert inherited.share > 0.99 or chosen.choices["activation"] == "prelu"
        assert inherited.head


@pytest.mark.slow
def test_equal_seeds_give_equal_weights_and_imitation_changes_them(data):
    first, again = trained(data, steps=4), trained(data, steps=4)
    assert same(first.donor, again.donor)
    assert not same(first.donor, trained(data, steps=4, imitation=0.0).donor)


def test_a_space_with_other_layers_is_named(data):
    space = SPACES["blocks_isp"].narrow({"block_0": ["instance3"], "levels": [0]})
    with pytest.raises(UserError, match=r"space blocks_isp: .* cannot share"):
        trained(data, space=space, steps=2)

"""Architectures that differ in their sizes alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import SPACES
from spaces.elastic import draw_between, draw_largest, smallest
from spaces.wiring import wiring

UNETS = ("unet_isp", "unet_bokeh")


def layers_of(space, architecture):
    return {layer.key: layer for layer in wiring(space.bind(architecture), space.input_channels)}


@pytest.mark.parametrize("name", UNETS)
@settings(max_examples=30, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_the_largest_holds_all_others(name, seed):
    space, rng = SPACES[name], np.random.default_rng(seed)
    largest = draw_largest(space, rng)
    whole = layers_of(space, largest)
    for architecture in (smallest(space, largest), draw_between(space, largest, rng)):
        for key, layer in layers_of(space, architecture).items():
            assert layer.kernel <= whole[key].kernel
            assert set(layer.writes) <= set(whole[key].writes)


def test_sizes_are_depth_width_kernel_and_attention():
    space = SPACES["unet_isp"].narrow({"conv": ["conv3", "conv5"], "levels": [0, 1, 2]})
    largest = draw_largest(space, np.random.default_rng(0))
    large, small = largest.choices, smallest(space, largest).choices
    assert (large["levels"], large["convs_0"], large["width_0"]) == (2, 3, 32)
    assert (large["conv"], large["attention_0"]) == ("conv5", True)
    assert (small["levels"], small["convs_0"], small["width_0"]) == (0, 1, 4)
    assert (small["conv"], small["attention_0"]) == ("conv3", False)
    assert large["packing"] == small["packing"]
    assert large["activation"] == small["activation"]


def test_other_kinds_of_block_are_drawn():
    space = SPACES["unet_isp"]
    drawn = [draw_largest(space, np.random.default_rng(seed)).choices for seed in range(40)]
    assert {choices["conv"] for choices in drawn} == {"conv5", "separable3"}
    assert {choices["packing"] for choices in drawn} == {1, 2}
    assert {choices["down"] for choices in drawn} == set(
        next(choice.values for choice in space.choices if choice.name == "down")
    )

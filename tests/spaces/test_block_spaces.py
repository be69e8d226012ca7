"""Every part that has a name can be searched, runs on both phones and changes the network."""

from collections import Counter

import pytest

from latency import load_profile, lower
from spaces import SPACES
from spaces.blocks.attention import ATTENTION
from spaces.blocks.colour import TONE
from spaces.blocks.down import DOWN
from spaces.blocks.features import FEATURES
from spaces.blocks.filters import FILTERS
from spaces.blocks.skip import SKIP
from spaces.blocks.up import UP

PLAIN = {
    "packing": 1,
    "stem": "conv3",
    "filters": "none",
    "stem_activation": "same",
    "activation": "leaky_relu",
    "levels": 1,
    "stacks": 1,
    "block_0": "conv3",
    "block_deep": "conv3",
    "down": "strided",
    "up": "transposed",
    "skip": "add",
    "width_0": 12,
    "blocks_0": 1,
    "attention_0": "none",
    "width_1": 24,
    "blocks_1": 1,
    "attention_1": "none",
    "head": "conv3",
    "global_path": "none",
}
COLOUR = {"gains": False, "tone": "none"}
PARTS = {
    "filters": FILTERS,
    "block_0": FEATURES,
    "block_deep": FEATURES,
    "down": DOWN,
    "up": UP,
    "skip": SKIP,
    "attention_0": {**dict.fromkeys(ATTENTION), "none": None},
    "attention_1": {**dict.fromkeys(ATTENTION), "none": None},
    "tone": TONE,
}
SAME_ON_A_PHONE = {"conv3", "erep3", "repvgg3", "ecb3"}
"""Merged into one 3x3 convolution."""
SIZE = (64, 64)


def graph(name, **changes):
    choices = PLAIN | (COLOUR if name == "blocks_isp" else {}) | changes
    return SPACES[name].trace(SPACES[name].architecture(choices), *SIZE)


def kernels(name, device, **changes):
    lowering = lower(graph(name, **changes), load_profile(device).gpu)
    assert not lowering.fallbacks
    return Counter(lowering.kernels)


@pytest.mark.parametrize("device", ["snapdragon-8-gen-1", "kirin-9000"])
@pytest.mark.parametrize(
    ("space", "choice"),
    [
        (space, choice)
        for space in ("blocks_isp", "blocks_bokeh")
        for choice in PARTS
        if (space, choice) != ("blocks_bokeh", "tone")
    ],
)
def test_every_registered_part_can_be_chosen_and_runs_on_the_gpu(space, choice, device):
    (values,) = (c.values for c in SPACES[space].choices if c.name == choice)
    assert set(values) == set(PARTS[choice])
    made = {value: kernels(space, device, **{choice: value}) for value in values}
    found = {frozenset(count.items()) for name, count in made.items()}
    same = SAME_ON_A_PHONE & set(made)
    assert len({frozenset(made[name].items()) for name in same}) <= 1
    assert len(found) == len(made) - max(0, len(same) - 1)


@pytest.mark.parametrize(
    ("space", "stem"),
    [
        ("blocks_isp", {"packing": 1, "stem": "strided3"}),
        ("blocks_isp", {"packing": 2, "stem_packed": "conv3"}),
        ("blocks_bokeh", {"packing": 2, "stem": "strided3"}),
        ("blocks_bokeh", {"packing": 4, "stem_packed": "conv3"}),
    ],
)
def test_mobilevit_has_pairs_of_rows_at_every_level_of_the_smallest_input(space, stem):
    """A trace refuses an odd number of rows."""
    space = SPACES[space]
    chosen = {**stem, "levels": 3, "block_0": "mobilevit", "block_deep": "mobilevit"}
    deepest = space.complete(lambda choice: chosen.get(choice.name, choice.values[0]))
    assert deepest.choices.items() >= chosen.items()
    assert space.trace(deepest, space.multiple, space.multiple).ops


def test_gains_are_fused_into_the_image_that_they_multiply():
    chains = [kernel.chain for kernel in kernels("blocks_isp", "kirin-9000", gains=True)]
    assert ("DEPTH_TO_SPACE", "MUL") in chains

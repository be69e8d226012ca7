import numpy as np
import pytest

from spaces import SPACES
from spaces.architecture import Architecture
from spaces.label import label
from spaces.zoo import ZOO

CHOICES = {
    "packing": 1,
    "stem": "conv3",
    "stem_activation": "same",
    "activation": "relu",
    "conv": "conv3",
    "levels": 2,
    "stacks": 1,
    "down": "strided",
    "up": "transposed",
    "skip": "add",
    "width_0": 12,
    "convs_0": 1,
    "attention_0": True,
    "width_1": 24,
    "convs_1": 2,
    "attention_1": True,
    "width_2": 32,
    "convs_2": 1,
    "attention_2": False,
    "head": "conv3",
    "global_path": "none",
}


def test_a_plain_unet_reads_from_the_outside_in():
    architecture = SPACES["unet_isp"].architecture(CHOICES)
    assert label(architecture) == "p1 conv3 L2 w12-24-32 c1-2-1 strided/transposed add ca:110 relu"


def test_what_differs_from_the_plain_case_is_appended():
    changed = CHOICES | {
        "stacks": 2,
        "conv": "separable3",
        "stem_activation": "tanh",
        "skip": "none",
        "head": "conv1",
        "global_path": "linear",
    }
    assert label(SPACES["unet_isp"].architecture(changed)) == (
        "p1 conv3 L2x2 w12-24-32 c1-2-1 separable3 strided/transposed no-skip ca:110 relu "
        "stem:tanh head:conv1 +linear"
    )


def test_blocks_and_attention_are_called_by_their_names():
    unet = {k: v for k, v in CHOICES.items() if not k.startswith("conv")}
    blocks = unet | {
        "filters": "none",
        "block_0": "conv3",
        "block_deep": "conv3",
        "blocks_0": 1,
        "blocks_1": 2,
        "blocks_2": 1,
        "attention_0": "channel",
        "attention_1": "channel",
        "attention_2": "none",
        "gains": False,
        "tone": "none",
    }
    plain = label(Architecture.of("unet_isp", CHOICES))
    assert label(SPACES["blocks_isp"].architecture(blocks)) == plain
    changed = blocks | {
        "filters": "sobel",
        "block_deep": "naf",
        "attention_0": "eca",
        "up": "haar",
        "gains": True,
        "tone": "gamma",
    }
    assert label(SPACES["blocks_isp"].architecture(changed)) == (
        "p1 conv3 L2 w12-24-32 c1-2-1 conv3/naf strided/haar add eca,channel,none relu in:sobel "
        "+gains +gamma"
    )


@pytest.mark.parametrize("space", list(SPACES))
def test_different_architectures_have_different_labels(space):
    rng = np.random.default_rng(0)
    samples = {SPACES[space].sample(rng) for _ in range(2000)}
    # Neighbours are where a forgotten choice would show.
    samples |= {SPACES[space].mutate(a, rng) for a in list(samples)}
    assert len({label(a) for a in samples}) == len(samples)


def test_every_published_system_has_a_label():
    for name in ZOO:
        architecture = ZOO[name].architecture or Architecture.of("zoo", {"system": name})
        assert label(architecture)
    assert label(Architecture.of("zoo", {"system": "mincho"})) == "mincho"


def test_an_unknown_space_is_written_out():
    assert label(Architecture.of("mine", {"width": 8, "deep": True})) == "deep=True width=8"

"""The published systems that lie in the space, and what a choice does to the graph."""

from collections import Counter

import numpy as np
import pytest

from spaces import SPACES

ISP = SPACES["unet_isp"]
MIALGO = {
    "packing": 1,
    "stem": "conv3",
    "stem_activation": "tanh",
    "activation": "relu",
    "conv": "conv3",
    "levels": 0,
    "width_0": 12,
    "convs_0": 1,
    "attention_0": False,
    "head": "conv3",
    "global_path": "none",
}
ENERZAI = {
    **MIALGO,
    "stem": "strided3",
    "stem_activation": "same",
    "levels": 1,
    "stacks": 1,
    "down": "strided",
    "up": "transposed",
    "skip": "add",
    "attention_0": True,
    "width_1": 24,
    "convs_1": 1,
    "attention_1": True,
}


def graph(choices, height=544, width=960):
    return ISP.trace(ISP.architecture(choices), height, width)


def test_mialgo_track_1_has_its_rebuilt_size():
    traced = graph(MIALGO)
    assert traced.parameters == 3_060
    assert traced.macs == 1_579_253_760
    assert [op.kind for op in traced.ops] == [
        "CONV_2D", "TANH", "CONV_2D", "RELU", "CONV_2D", "DEPTH_TO_SPACE",
    ]  # fmt: skip


def test_enerzai_track_1_has_its_rebuilt_size():
    traced = graph(ENERZAI)
    assert traced.parameters == 17_772
    assert traced.macs / 1e9 == pytest.approx(1.363, abs=5e-4)
    kinds = Counter(op.kind for op in traced.ops)
    assert {k: kinds[k] for k in ("CONV_2D", "MEAN", "LOGISTIC", "MUL", "TRANSPOSE_CONV")} == {
        "CONV_2D": 12, "MEAN": 3, "LOGISTIC": 3, "MUL": 3, "TRANSPOSE_CONV": 1,
    }  # fmt: skip


@pytest.mark.parametrize("skip", ["add", "concat", "none"])
def test_skip_connections(skip):
    kinds = Counter(op.kind for op in graph({**ENERZAI, "skip": skip}).ops)
    assert kinds["ADD"] == (skip == "add")
    assert kinds["CONCATENATION"] == (skip == "concat")


def test_each_further_hourglass_is_added_to_its_input():
    kinds = [Counter(op.kind for op in graph({**ENERZAI, "stacks": n}).ops) for n in (1, 2, 3)]
    assert [k["TRANSPOSE_CONV"] for k in kinds] == [1, 2, 3]
    assert [k["ADD"] for k in kinds] == [1, 3, 5]


def test_linear_path_is_one_convolution_and_one_sum_whatever_the_reduction():
    for base in (MIALGO, ENERZAI):
        plain, linear = graph(base), graph({**base, "global_path": "linear"})
        assert len(linear.ops) == len(plain.ops) + 2
        first = linear.ops[0]
        # One input pixel around each output block: kernel 3 at stride 1, 4 at stride 2.
        assert first.constants[0][1] == first.attrs["stride"][0] + 2


@pytest.mark.parametrize("name", list(SPACES))
def test_every_level_count_halves_the_frame(name):
    space = SPACES[name]
    # MobileViT looks at squares of pixels as pixels of their own.
    plain = {c.name: ["conv3"] for c in space.choices if c.name.startswith("block_")}
    deepest = max(next(c.values for c in space.choices if c.name == "levels"))
    for levels in range(1, deepest + 1):
        narrowed = space.narrow({"levels": [levels], "packing": [1], **plain})
        architecture = narrowed.sample(np.random.default_rng(levels))
        traced = space.trace(architecture, 128, 192)
        stem = 2 if architecture.choices["stem"] == "strided3" else 1
        heights = {t.shape[1] for t in traced.tensors if len(t.shape) == 4} - {1}
        assert min(heights) == 128 // stem // 2**levels

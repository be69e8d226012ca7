"""What a network computes with another one's weights."""

import numpy as np
import pytest
from unets import architecture, built, fresh, images

from search.training.reuse.inheritance import donor_of, inherit


def handed_on(parent_choices, child_choices):
    """(parent's output, child's output, what was inherited) on the same images."""
    parent, parent_layers = built(architecture(**parent_choices))
    child, layers = fresh(architecture(**child_choices))
    inherited = inherit(child, layers, donor_of(parent, parent_layers))
    return np.array(parent(images())), np.array(child(images())), inherited


@pytest.mark.parametrize(
    "choices",
    [{}, {"activation": "prelu", "attention_1": True}, {"up": "transposed", "conv": "separable3"}],
)
def test_an_equal_network_gets_everything(choices):
    theirs, ours, inherited = handed_on(choices, choices)
    np.testing.assert_array_equal(theirs, ours)
    assert inherited.share == 1
    assert inherited.head


@pytest.mark.parametrize("up", ["depth_to_space", "transposed", "resize_conv"])
@pytest.mark.parametrize("skip", ["concat", "add"])
@pytest.mark.parametrize(
    "changes",
    [
        {"width_0": 12},
        {"width_1": 24},
        {"convs_0": 2},
        {"convs_1": 3},
        {"conv": "conv5"},
        {"stem": "conv5"},
        {"width_0": 16, "width_1": 32, "convs_0": 3, "conv": "conv5"},
    ],
    ids=str,
)
def test_larger_networks_compute_the_same(up, skip, changes):
    common = {"up": up, "skip": skip}
    theirs, ours, inherited = handed_on(common, common | changes)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert 0 < inherited.share < 1


def test_what_is_new_can_learn():
    """New channels do not start at zero themselves: their gradients would be zero for ever."""
    parent, parent_layers = built(architecture())
    child, layers = fresh(architecture(width_0=12))
    inherit(child, layers, donor_of(parent, parent_layers))
    stem = next(p for p, layer in zip(child.parts, layers, strict=True) if "stem" in layer.key)
    assert np.all(np.abs(stem.kernel.numpy()[..., 8:]).max(axis=(0, 1, 2)) > 0)


@pytest.mark.parametrize("changes", [{"width_0": 4}, {"width_1": 8}, {"convs_0": 1}, {}], ids=str)
def test_smaller_networks_get_all_their_weights(changes):
    parent = {"convs_0": 2, "conv": "conv5"}
    theirs, ours, inherited = handed_on(parent, parent | changes)
    assert inherited.share == 1
    assert np.all(np.isfinite(ours))
    assert np.array_equal(theirs, ours) == (not changes)


def test_a_smaller_kernel_is_the_middle_of_the_larger():
    parent, parent_layers = built(architecture(stem="conv5"))
    child, layers = fresh(architecture())
    inherit(child, layers, donor_of(parent, parent_layers))
    number = next(i for i, layer in enumerate(layers) if "/stem/" in layer.key)
    large, small = (m.parts[number].kernel.numpy() for m in (parent, child))
    np.testing.assert_array_equal(small, large[1:4, 1:4])


@pytest.mark.parametrize("changes", [{"packing": 2, "stem_packed": "conv3"}, {"stem": "strided3"}])
def test_networks_of_other_resolutions_have_nothing_in_common(changes):
    before = np.array(fresh(architecture(**changes))[0](images()))
    _, ours, inherited = handed_on({}, changes)
    assert inherited.share == 0
    assert not inherited.head
    np.testing.assert_array_equal(ours, before)


def test_a_slope_is_inherited_and_a_missing_one_left_out():
    *_, inherited = handed_on({"activation": "prelu"}, {"activation": "relu"})
    assert inherited.share == 1
    *_, inherited = handed_on({"activation": "relu"}, {"activation": "prelu"})
    assert 0.9 < inherited.share < 1

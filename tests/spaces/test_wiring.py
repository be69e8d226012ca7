"""What `wiring` says about the layers of a network, against the Keras model of the same."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unets import SPACE, architecture

from spaces import SPACES
from spaces.ops.keras_backend import Network
from spaces.wiring import wiring
from spaces.zoo import ZOO

READ_AND_WRITTEN = {"conv": (2, 3), "transposed_conv": (3, 2), "depthwise": (2, 2)}
"""Axes of the first weight of a layer."""


def assert_fits(network, input_channels):
    layers = wiring(network, input_channels)
    parts = Network(network, input_channels).parts
    assert len({layer.key for layer in layers}) == len(layers) == len(parts)
    for layer, part in zip(layers, parts, strict=True):
        if layer.op not in READ_AND_WRITTEN or layer.arguments.get("branches"):
            continue
        reads, writes = READ_AND_WRITTEN[layer.op]
        shape = part.weights[0].shape
        assert shape[:2] == (layer.kernel, layer.kernel)
        assert (shape[reads], shape[writes]) == (len(layer.reads), len(layer.writes)) or (
            layer.op == "depthwise" and shape[2] == len(layer.reads)
        )
        assert len(set(layer.reads)) == len(layer.reads)
        assert len(set(layer.writes)) == len(layer.writes)


@pytest.mark.parametrize("name", list(SPACES))
@settings(max_examples=8, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_layers_come_in_the_order_and_the_sizes_of_the_keras_model(name, seed):
    space = SPACES[name]
    assert_fits(space.bind(space.sample(np.random.default_rng(seed))), space.input_channels)
    keras.backend.clear_session()


@pytest.mark.parametrize("name", ["enerzai_track1", "multimedia_syenet", "hitzst01_small"])
def test_so_they_do_for_published_systems(name):
    system = ZOO[name]
    assert_fits(system.network, system.input_shape[2])


@pytest.mark.parametrize("name", list(ZOO))
def test_every_published_system_has_a_wiring(name):
    layers = wiring(ZOO[name].network, ZOO[name].input_shape[2])
    assert len({layer.key for layer in layers}) == len(layers) > 2


def layers_of(**changes):
    layers = wiring(SPACE.bind(architecture(**changes)), SPACE.input_channels)
    return {layer.key: layer for layer in layers}


@pytest.mark.parametrize("up", ["depth_to_space", "transposed", "resize_conv"])
def test_a_wider_network_has_the_channels_of_the_narrower_one(up):
    narrow, wide = layers_of(up=up), layers_of(up=up, width_0=12, width_1=24)
    assert narrow.keys() == wide.keys()
    for key, layer in narrow.items():
        assert set(layer.reads) <= set(wide[key].reads)
        assert set(layer.writes) <= set(wide[key].writes)


def test_what_follows_a_level_reads_the_same_however_deep_it_is():
    shallow, deep = layers_of(), layers_of(convs_0=3, convs_1=2)
    assert deep.keys() > shallow.keys()
    assert all(deep[key] == layer for key, layer in shallow.items())


def test_skips_read_the_encoder_beside_the_decoder():
    key = "at_1/level_0/decoder/block_0/conv/conv_0"
    beside, alone = layers_of()[key].reads, layers_of(skip="add")[key].reads
    assert beside[:8] == alone
    assert {label[0] for label in beside[8:]} == {"at_1/level_0"}


def test_larger_kernels_and_other_activations_are_the_same_layers():
    assert layers_of().keys() == layers_of(conv="conv5", stem="conv5", head="conv1").keys()
    assert layers_of().keys() < layers_of(activation="prelu").keys()


def test_other_resolutions_and_blocks_are_other_layers():
    assert not layers_of().keys() & layers_of(stem="strided3").keys()
    separable = layers_of(conv="separable3")
    common = layers_of().keys() & separable.keys()
    assert not any("/encoder/" in key or "/decoder/" in key for key in common)
    assert "at_1/stem/conv/conv_0" in common

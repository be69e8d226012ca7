"""Whole images in tiles are measured as in one piece."""

import numpy as np
import pytest
import tensorflow as tf
from bundles import random_network

from search.data.isp import SENSOR
from search.data.pairs import PairMeta, encoder_for
from search.errors import UserError
from search.full_training.frames import WholeImages, cut_of
from search.networks import Candidate
from search.training.data import Validation
from search.training.evaluation import evaluate, predict_images

TILE = 64


class Frames:
    """RAW pairs of one size: noise, so that every pixel matters."""

    decodes_files = False
    meta = PairMeta("noise", "isp", "val", SENSOR)

    def __init__(self, size, count=2):
        rng = np.random.default_rng(0)
        self.inputs = rng.integers(64, 1023, (count, *size, 4), np.uint16)
        self.targets = rng.integers(0, 255, (count, 2 * size[0], 2 * size[1], 3), np.uint8)

    def __len__(self):
        return len(self.inputs)

    def read(self, index):
        return self.inputs[index], self.targets[index]

    def depth(self, index):
        return None


def convolutions(ops, x):
    x = ops.activation(ops.conv(x, 8, branches="repvgg"), "relu")
    return ops.depth_to_space(ops.conv(x, 12), 2)


def halving(ops, x):
    """A UNet that halves its input twice."""
    y = ops.activation(ops.conv(x, 8, 3, stride=2), "relu")
    z = ops.transposed_conv(ops.conv(ops.max_pool(y), 8), 8)
    y = ops.resize(ops.concat([y, z]), 2, "bilinear")
    return ops.depth_to_space(ops.conv(ops.concat([x, y]), 12), 2)


def with_means(ops, x):
    x = ops.conv(x, 12)
    return ops.depth_to_space(ops.multiply(x, ops.global_average(x)), 2)


def with_attention(ops, x):
    x = ops.conv(x, 12)
    return ops.depth_to_space(ops.multiply(x, ops.channel_gates(x, 3)), 2)


def shuffled(ops, x):
    """It divides its input by two, and takes no odd sides."""
    x = ops.conv(ops.space_to_depth(x, 2), 48)
    return ops.depth_to_space(x, 4)


def whole_images(function, source, tile=TILE):
    network = Candidate(function, 4)
    model = random_network(network.network, network.input_channels)
    encode = encoder_for(source.meta)
    return model, WholeImages(model, network, source, encode, range(len(source)), tile)


def in_one_piece(model, source):
    """(PSNRs, SSIMs) as brief training measures them."""
    validation = Validation(encoder_for(source.meta)(source.inputs), source.targets)
    return evaluate(lambda x: tf.constant(predict_images(model, x)), validation, with_ssim=True)


@pytest.mark.parametrize(
    ("network", "size"),
    [
        (convolutions, (96, 160)),
        (convolutions, (101, 77)),
        (halving, (160, 136)),
        (halving, (64, 68)),
    ],
)
def test_tiles_measure_what_the_whole_image_does(network, size):
    source = Frames(size)
    model, images = whole_images(network, source)
    assert "tiles of" in images.described()
    whole = predict_images(model, encoder_for(source.meta)(source.inputs[:1]))[0]
    np.testing.assert_allclose(images.output(source.inputs[0]), whole, atol=2e-6)
    for found, expected in zip(
        images.measure(None, True), in_one_piece(model, source), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_blocks_of_windows_are_all_windows(monkeypatch):
    monkeypatch.setattr("search.full_training.frames.BLOCK", 50)
    monkeypatch.setattr("search.training.ssim.BLOCK", 50)
    source = Frames((64, 80))
    model, images = whole_images(convolutions, source, tile=512)
    psnrs, ssims = images.measure(1, True)
    expected = in_one_piece(model, source)
    assert len(psnrs) == 1
    assert psnrs[0] == pytest.approx(expected[0][0], rel=1e-6)
    assert ssims[0] == pytest.approx(expected[1][0], rel=1e-5)
    assert images.measure(None, False)[1].size == 0


def test_a_network_that_takes_means_is_run_in_one_piece_and_says_so():
    source = Frames((64, 96), count=1)
    model, images = whole_images(with_means, source)
    assert images.described() == (
        "a whole image, 96 x 64 pixels of input the first, in one piece: "
        "it takes means over the whole frame"
    )
    whole = predict_images(model, encoder_for(source.meta)(source.inputs))[0]
    np.testing.assert_array_equal(images.output(source.inputs[0]), whole)


def test_so_is_one_whose_pixels_look_at_all_others():
    cut = cut_of(Candidate(with_attention, 4), (64, 96), TILE)
    assert cut.layout.count == 1
    assert cut.whole_because == "op 1 RESHAPE looks at the whole frame"
    assert cut_of(Candidate(with_attention, 4), (64, 64), TILE).whole_because is None


def test_a_size_that_a_network_cannot_halve_is_mirrored_at_its_end():
    source = Frames((50, 77), count=1)
    _, images = whole_images(shuffled, source, tile=512)
    assert images.output(source.inputs[0]).shape == (100, 154, 3)


def test_the_sample_is_the_middle_of_the_output_beside_its_target():
    source = Frames((160, 200))
    # Its means are those of the whole image, not of what is shown.
    _, images = whole_images(with_means, source)
    images.measure(1, False)
    sample = images.sample()
    assert sample.shape == (256, 512, 3)
    np.testing.assert_array_equal(sample[:, 256:], source.targets[0, 32:288, 72:328])
    output = np.round(255 * images.output(source.inputs[0])).astype(np.uint8)
    np.testing.assert_array_equal(sample[:, :256], output[32:288, 72:328])


@pytest.mark.parametrize("graphs", [0, 1])
def test_what_is_measured_are_the_weights_of_the_moment(graphs, monkeypatch):
    monkeypatch.setattr("search.full_training.frames.GRAPHS", graphs)
    source = Frames((64, 80), count=1)
    model, images = whole_images(convolutions, source, tile=512)
    before = images.output(source.inputs[0])
    for weight in model.trainable_variables:
        weight.assign(0.5 * weight)
    after = images.output(source.inputs[0])
    assert np.abs(after - before).max() > 1e-3
    whole = predict_images(model, encoder_for(source.meta)(source.inputs))[0]
    np.testing.assert_allclose(after, whole, atol=2e-6)


def test_an_image_that_memory_does_not_hold_is_one_line(monkeypatch):
    def out_of_memory(model):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr("search.full_training.frames.predictor", out_of_memory)
    _, images = whole_images(convolutions, Frames((64, 80)), tile=512)
    with pytest.raises(UserError, match="out of memory for a validation image, of which 80 x 64"):
        images.measure(1, False)


def test_images_that_are_too_small_for_ssim_are_refused():
    _, images = whole_images(convolutions, Frames((4, 4)))
    with pytest.raises(UserError, match="SSIM needs images of 11 pixels"):
        images.measure(None, True)


def test_no_images_are_refused():
    with pytest.raises(UserError, match="noise: the val split is empty"):
        whole_images(convolutions, Frames((64, 64), count=0))

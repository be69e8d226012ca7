"""Depth as a fourth channel, for the networks that want it."""

import shutil

import numpy as np
import pytest
from PIL import Image

from search.data.batches import train_batches, validation_arrays
from search.data.check import check_dataset
from search.data.folders import list_pairs
from search.data.pairs import PreparedPairs, encoder_for, for_channels
from search.errors import UserError


def test_a_network_of_three_channels_sees_no_depth(bokeh_set, isp_set):
    for path, channels in ((bokeh_set, 3), (isp_set, 4)):
        source = PreparedPairs(path, "train")
        assert for_channels(source, channels) is source


def test_prepared_depth_is_the_fourth_channel(bokeh_set):
    source = PreparedPairs(bokeh_set, "val")
    rgb, target = source.read(3)
    deep, same = for_channels(source, 4).read(3)
    np.testing.assert_array_equal(deep[..., :3], rgb)
    np.testing.assert_array_equal(deep[..., 3], source.depth(3))
    np.testing.assert_array_equal(same, target)
    # Every scene has something in front of something else.
    assert all(np.ptp(source.depth(index)) > 25 for index in range(len(source)))


def test_without_a_depth_map_the_channel_is_empty(bokeh_set, tmp_path):
    shutil.copytree(bokeh_set, tmp_path / "flat")
    (tmp_path / "flat" / "train_depth.npy").unlink()
    source = PreparedPairs(tmp_path / "flat", "train")
    assert source.depth(0) is None
    assert not for_channels(source, 4).read(0)[0][..., 3].any()


def test_channels_that_do_not_fit_are_refused(isp_set, bokeh_set):
    with pytest.raises(UserError, match="has 4 channels, the network takes 3"):
        for_channels(PreparedPairs(isp_set, "train"), 3)
    with pytest.raises(UserError, match="has 3 channels, the network takes 5"):
        for_channels(PreparedPairs(bokeh_set, "train"), 5)


def test_depth_is_cropped_and_flipped_with_its_image(bokeh_set):
    """A depth map that is the green channel stays it through every augmentation."""
    source = PreparedPairs(bokeh_set, "train")
    source.depths = source.inputs[..., 1]
    encode = encoder_for(source.meta)
    for x, y in train_batches(for_channels(source, 4), encode, crop=64, batch=4, steps=6, seed=0):
        assert x.shape == (4, 64, 64, 4)
        assert y.shape == (4, 64, 64, 3)
        np.testing.assert_array_equal(x[..., 3], x[..., 1])
    x, _ = validation_arrays(for_channels(PreparedPairs(bokeh_set, "val"), 4), encode)
    assert x.shape == (8, 96, 96, 4)


@pytest.fixture
def ebb_with_depth(tmp_path):
    rng = np.random.default_rng(0)
    for folder, size, channels in (
        ("original", (20, 30), 3), ("bokeh", (20, 30), 3), ("original_depth", (10, 15), 1),
    ):  # fmt: skip
        path = tmp_path / "Training" / folder
        path.mkdir(parents=True)
        for index in range(2):
            pixels = rng.integers(0, 256, (*size, channels), dtype=np.uint8).squeeze()
            suffix = "png" if channels == 1 else "jpg"
            Image.fromarray(pixels).save(path / f"{index}.{suffix}")
    return tmp_path


def test_depth_maps_beside_the_photographs_are_found_and_enlarged(ebb_with_depth):
    source = list_pairs("ebb", ebb_with_depth, "train")
    deep, _ = for_channels(source, 4).read(1)
    assert deep.shape == (1024, 1536, 4)
    assert deep[..., 3].std() > 10
    assert not check_dataset(source).broken


def test_a_broken_depth_map_is_named_and_its_pair_left_out(ebb_with_depth):
    path = ebb_with_depth / "Training" / "original_depth" / "1.png"
    Image.new("RGB", (10, 15)).save(path)
    source = list_pairs("ebb", ebb_with_depth, "train")
    ((broken, reason),) = check_dataset(source).broken
    assert (broken, reason) == (path, "not an 8-bit grey image (3 channels of uint8)")
    assert [pair.stem for pair in source.without(((broken, reason),)).files] == ["0"]
    with pytest.raises(UserError, match="not an 8-bit grey image"):
        source.depth(1)

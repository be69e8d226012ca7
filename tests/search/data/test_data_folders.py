import re

import numpy as np
import pytest
from PIL import Image

from search.data.batches import train_batches
from search.data.check import check_dataset, open_dataset
from search.data.folders import LAYOUTS, detect_dataset, list_pairs
from search.data.pairs import encoder_for
from search.data.raw import Sensor, pack_bayer
from search.errors import UserError


def write_raw(path, *, size=(16, 16), high=1023, dtype=np.uint16, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    mosaic = np.random.default_rng(seed).integers(0, high + 1, size).astype(dtype)
    mosaic[0, 0] = high
    Image.fromarray(mosaic).save(path)
    return mosaic


def write_rgb(path, *, size=(16, 16), seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(path, quality=100)
    return rgb


@pytest.fixture
def fujifilm(tmp_path):
    for split, count in (("train", 4), ("val", 2)):
        for index in range(count):
            folder = tmp_path / "raw_images" / split
            write_raw(folder / "mediatek_raw" / f"{index}.png", seed=index)
            write_rgb(folder / "fujifilm" / f"{index}.png", seed=index)
    return tmp_path


@pytest.fixture
def zurich(tmp_path):
    for split in ("train", "test"):
        for index in range(3):
            write_raw(tmp_path / split / "huawei_raw" / f"{index}.png", seed=index)
            write_rgb(tmp_path / split / "canon" / f"{index}.jpg", seed=index)
    return tmp_path


@pytest.fixture
def ebb(tmp_path):
    for index in (0, 1, 4399, 4400, 4693):
        write_rgb(tmp_path / "Training" / "original" / f"{index}.jpg", size=(20, 30), seed=index)
        write_rgb(tmp_path / "Training" / "bokeh" / f"{index}.jpg", size=(22, 31), seed=index)
    return tmp_path


def test_fujifilm_reads_16_bit_png_packed(fujifilm):
    pairs = open_dataset("fujifilm", fujifilm, "train")
    mosaic = write_raw(fujifilm / "raw_images/train/mediatek_raw/2.png", seed=2)
    network_input, target = pairs.read(2)
    np.testing.assert_array_equal(network_input, pack_bayer(mosaic))
    assert (target.shape, target.dtype) == ((16, 16, 3), np.uint8)
    assert pairs.meta.dataset == "Fujifilm UltraISP"
    assert len(pairs) == 4
    assert len(open_dataset("fujifilm", fujifilm, "val")) == 2


def test_root_may_be_the_inner_folder(fujifilm):
    assert len(open_dataset("fujifilm", fujifilm / "raw_images", "train")) == 4


def test_zurich_validation_is_the_test_folder(zurich):
    assert len(open_dataset("zurich", zurich, "train")) == 3
    assert "test" in open_dataset("zurich", zurich, "val").files[0].input.parts


def test_dark_zurich_crops_are_stored_with_8_bits_and_mean_the_same(zurich):
    mosaic = write_raw(zurich / "train/huawei_raw/1.png", high=200, dtype=np.uint8)
    network_input, _ = open_dataset("zurich", zurich, "train").read(1)
    assert network_input.dtype == np.uint16
    np.testing.assert_array_equal(network_input, pack_bayer(mosaic))


def test_ebb_split_is_val294_and_sizes_become_common(ebb):
    train, val = (open_dataset("ebb", ebb, split) for split in ("train", "val"))
    assert [pair.stem for pair in train.files] == ["0", "1", "4399"]
    assert [pair.stem for pair in val.files] == ["4400", "4693"]
    network_input, target = val.read(0)
    assert network_input.shape == target.shape == (1024, 1536, 3)
    assert [image.shape for image in val.read_original(0)] == [(20, 30, 3), (22, 31, 3)]


def test_any_stems_in_numeric_then_alphabetic_order(tmp_path):
    folder = tmp_path / "raw_images" / "train"
    for stem in ("10", "9", "scene_b", "scene_a"):
        write_raw(folder / "mediatek_raw" / f"{stem}.png")
        write_rgb(folder / "fujifilm" / f"{stem}.jpg")
    stems = [pair.stem for pair in open_dataset("fujifilm", tmp_path, "train").files]
    assert stems == ["9", "10", "scene_a", "scene_b"]


def test_sensor_can_be_given(fujifilm):
    sensor = Sensor(10, 64, 1023, (2.0, 1.0, 1.7))
    assert open_dataset("fujifilm", fujifilm, "train", sensor=sensor).meta.sensor == sensor
    assert open_dataset("fujifilm", fujifilm, "train").meta.sensor.black_level == 0


def test_training_batches_from_files(fujifilm):
    pairs = open_dataset("fujifilm", fujifilm, "train")
    stream = train_batches(pairs, encoder_for(pairs.meta), crop=8, batch=4, steps=7, seed=0)
    assert [x.shape for x, _ in stream] == [(4, 4, 4, 4)] * 7


def breaking(fujifilm, how):
    """Break the training pair 1 in one way; returns what the message must say."""
    raw = fujifilm / "raw_images/train/mediatek_raw/1.png"
    rgb = fujifilm / "raw_images/train/fujifilm/1.png"
    if how == "bit depth":
        write_raw(raw, high=16000)
        return r"mediatek_raw/1\.png: RAW values up to 16000 exceed the white level 1023"
    if how == "no target":
        rgb.unlink()
        return r"mediatek_raw/1\.png: no target"
    if how == "no input":
        raw.unlink()
        return r"fujifilm/1\.png: no input"
    if how == "sizes differ":
        write_rgb(rgb, size=(16, 18))
        return r"fujifilm/1\.png: target is 16x18, its input 16x16"
    if how == "odd one out":
        write_raw(raw, size=(12, 12))
        write_rgb(rgb, size=(12, 12))
        return r"mediatek_raw/1\.png: size 12x12, most are 16x16"
    if how == "odd size":
        write_raw(raw, size=(15, 16))
        write_rgb(rgb, size=(15, 16))
        return r"mediatek_raw/1\.png: odd size 15x16"
    if how == "truncated":
        write_raw(raw, size=(64, 64))
        raw.write_bytes(raw.read_bytes()[:2000])
        return r"mediatek_raw/1\.png: unreadable"
    if how == "truncated target":
        rgb.write_bytes(rgb.read_bytes()[:200])
        return r"fujifilm/1\.png: unreadable"
    if how == "not an image":
        raw.write_text("404 not found")
        return r"mediatek_raw/1\.png: unreadable \(not an image\)"
    if how == "empty file":
        raw.write_bytes(b"")
        return r"mediatek_raw/1\.png: unreadable"
    if how == "RGB as RAW":
        write_rgb(raw)
        return r"mediatek_raw/1\.png: not a one-channel RAW image \(3 channels of uint8\)"
    assert how == "RAW as RGB"
    write_raw(rgb)
    return r"fujifilm/1\.png: not an 8-bit RGB image \(1 channels of uint16\)"


ALL_BREAKS = [
    "bit depth", "no target", "no input", "sizes differ", "odd one out", "odd size", "truncated",
    "truncated target", "not an image", "empty file", "RGB as RAW", "RAW as RGB",
]  # fmt: skip


@pytest.mark.parametrize("how", ALL_BREAKS)
def test_one_error_names_the_file_and_the_count(fujifilm, how):
    message = breaking(fujifilm, how)
    with pytest.raises(UserError, match=message) as error:
        open_dataset("fujifilm", fujifilm, "train")
    assert "1 broken files (0 allowed" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("how", ALL_BREAKS)
def test_allowed_broken_pairs_are_skipped_and_listed(fujifilm, how):
    message = breaking(fujifilm, how)
    pairs = open_dataset("fujifilm", fujifilm, "train", allow_broken=1)
    assert [pair.stem for pair in pairs.files] == ["0", "2", "3"]
    assert [pairs.read(index)[1].shape for index in range(3)] == [(16, 16, 3)] * 3
    ((path, reason),) = pairs.skipped
    assert re.search(message, f"{path}: {reason}")


def test_many_broken_files_are_counted_and_the_first_named(fujifilm):
    for index in range(4):
        write_raw(fujifilm / f"raw_images/train/mediatek_raw/{index}.png", high=4095)
    with pytest.raises(UserError, match=r"4 broken files.*and 1 more") as error:
        open_dataset("fujifilm", fujifilm, "train", allow_broken=3)
    assert "0.png" in str(error.value)
    assert "3.png" not in str(error.value)
    with pytest.raises(UserError, match="all 4 train pairs are broken"):
        open_dataset("fujifilm", fujifilm, "train", allow_broken=4)


def test_unverified_broken_files_are_named_when_read(fujifilm):
    breaking(fujifilm, "not an image")
    pairs = open_dataset("fujifilm", fujifilm, "train", verify=False)
    with pytest.raises(UserError, match=r"1\.png: unreadable"):
        pairs.read(1)
    assert pairs.read(0)[0].shape == (8, 8, 4)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(UserError, match=r"Zurich RAW-to-RGB: .*train/huawei_raw is missing"):
        open_dataset("zurich", tmp_path, "train")
    (tmp_path / "train/huawei_raw").mkdir(parents=True)
    with pytest.raises(UserError, match="train/canon is missing"):
        open_dataset("zurich", tmp_path, "train")
    (tmp_path / "train/canon").mkdir()
    with pytest.raises(UserError, match=r"no train pairs in .*0 images in train/huawei_raw"):
        open_dataset("zurich", tmp_path, "train")


def test_ebb_without_val294_says_so(tmp_path):
    write_rgb(tmp_path / "Training/original/1.jpg")
    write_rgb(tmp_path / "Training/bokeh/1.jpg")
    with pytest.raises(UserError, match="no val pairs"):
        open_dataset("ebb", tmp_path, "val")


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(UserError, match="choose fujifilm, zurich, ebb"):
        list_pairs("sidd", tmp_path, "train")
    with pytest.raises(UserError, match="choose train or val"):
        list_pairs("ebb", tmp_path, "test")


def test_report_counts_shapes_and_ranges(fujifilm):
    report = check_dataset(list_pairs("fujifilm", fujifilm, "train"))
    assert report.pairs == 4
    assert report.input_shapes == {(16, 16): 4}
    assert report.target_shapes == {(16, 16, 3): 4}
    assert report.input_range[1] == 1023
    assert report.broken == ()


def test_hidden_and_foreign_files_are_ignored(fujifilm):
    (fujifilm / "raw_images/train/mediatek_raw/._1.png").write_bytes(b"mac")
    (fujifilm / "raw_images/train/fujifilm/Thumbs.db").write_bytes(b"windows")
    assert len(open_dataset("fujifilm", fujifilm, "train")) == 4


def test_layouts_are_detected(fujifilm):
    assert detect_dataset(fujifilm) == "fujifilm"
    assert detect_dataset(fujifilm / "raw_images") is None
    assert set(LAYOUTS) == {"fujifilm", "zurich", "ebb"}

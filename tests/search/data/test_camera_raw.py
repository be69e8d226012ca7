"""RAW files as they come: DNGs of every Bayer pattern, one-channel images, and what is neither."""

import numpy as np
import pytest
from dng_files import write_dng
from PIL import Image

from search.data.camera_raw import read_raw_photo
from search.data.folders import ImageError
from search.data.raw import Sensor, at_levels, to_rggb
from search.errors import UserError

TRAINED = Sensor(10, 64, 1023, (2.05, 1.0, 1.75))
SHAPE = (64, 96)


@pytest.fixture
def mosaic():
    return np.random.default_rng(0).integers(64, 1024, SHAPE).astype(np.uint16)


@pytest.mark.parametrize(
    ("pattern", "row", "column"),
    [("RGGB", 0, 0), ("GRBG", 0, 1), ("GBRG", 1, 0), ("BGGR", 1, 1)],
)
def test_a_dng_of_any_pattern_begins_with_red(tmp_path, mosaic, pattern, row, column):
    write_dng(tmp_path / "x.dng", mosaic, pattern)
    photo = read_raw_photo(tmp_path / "x.dng", TRAINED)
    expected = mosaic[row:, column:][: SHAPE[0] - 2 * row, : SHAPE[1] - 2 * column]
    np.testing.assert_array_equal(photo.mosaic, expected)
    assert (photo.sensor.black_level, photo.sensor.white_level) == (64, 1023)
    assert photo.sensor.gains == pytest.approx((2.0, 1.0, 1.6), rel=1e-3)
    assert photo.orientation == 1


def test_planes_with_their_own_black_get_one(tmp_path, mosaic):
    write_dng(tmp_path / "x.dng", mosaic, black=(64, 66, 67, 70), orientation=6)
    photo = read_raw_photo(tmp_path / "x.dng", TRAINED)
    assert photo.sensor.black_level == 64
    assert photo.orientation == 6
    expected = mosaic.astype(int) - np.tile([[0, 2], [3, 6]], (SHAPE[0] // 2, SHAPE[1] // 2))
    np.testing.assert_array_equal(photo.mosaic, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_kept(tmp_path, mosaic, orientation):
    write_dng(tmp_path / "x.dng", mosaic, orientation=orientation)
    assert read_raw_photo(tmp_path / "x.dng", TRAINED).orientation == orientation


def test_without_a_white_balance_the_typical_one_stays(tmp_path, mosaic):
    write_dng(tmp_path / "x.dng", mosaic, gains=None)
    assert read_raw_photo(tmp_path / "x.dng", TRAINED).sensor.gains == TRAINED.gains


def test_an_image_is_read_as_it_is_told(tmp_path, mosaic):
    Image.fromarray(mosaic).save(tmp_path / "x.png")
    photo = read_raw_photo(tmp_path / "x.png", TRAINED, "BGGR")
    np.testing.assert_array_equal(photo.mosaic, mosaic[1:-1, 1:-1])
    assert photo.sensor == TRAINED


def test_an_image_of_more_bits_than_its_sensor_is_refused(tmp_path, mosaic):
    Image.fromarray(mosaic * np.uint16(64)).save(tmp_path / "x.png")
    with pytest.raises(ImageError, match="holds 65472, more than the 10 bits of its sensor have"):
        read_raw_photo(tmp_path / "x.png", TRAINED)


def test_what_is_no_bayer_raw_is_named(tmp_path, mosaic):
    broken = tmp_path / "broken.dng"
    write_dng(tmp_path / "x.dng", mosaic)
    broken.write_bytes(b"II*\0" + bytes(500))
    with pytest.raises(ImageError, match=r"broken.dng: not a RAW file that can be read"):
        read_raw_photo(broken, TRAINED)
    broken.write_bytes((tmp_path / "x.dng").read_bytes()[:4000])
    with pytest.raises(ImageError, match=r"broken.dng: not a RAW file that can be read"):
        read_raw_photo(broken, TRAINED)
    Image.new("RGB", (8, 8)).save(tmp_path / "rgb.png")
    with pytest.raises(ImageError, match="not a one-channel RAW image"):
        read_raw_photo(tmp_path / "rgb.png", TRAINED)


def test_patterns_and_sizes_that_are_none():
    with pytest.raises(UserError, match="unknown Bayer pattern 'RGBW': choose RGGB"):
        to_rggb(np.zeros((4, 4)), "RGBW")
    with pytest.raises(UserError, match="2x2 has no whole Bayer cell"):
        to_rggb(np.zeros((2, 2)), "GRBG")


def test_levels_of_another_sensor():
    other = Sensor(14, 512, 15871)
    values = np.array([512, 15871, (512 + 15871) / 2, 400])
    changed = at_levels(values, other, TRAINED)
    np.testing.assert_allclose(changed, [64, 1023, 543.5, 64 - 112 * 959 / 15359], rtol=1e-5)
    assert at_levels(values, TRAINED, TRAINED) is values

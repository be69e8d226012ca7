import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from search.data.pairs import PairMeta, encoder_for
from search.data.raw import (
    Sensor,
    encode_raw,
    flip_packed,
    flip_target,
    pack_bayer,
    transpose_packed,
    unpack_bayer,
)
from search.errors import UserError

SENSOR = Sensor(bit_depth=10, black_level=64, white_level=1023, gains=(2.0, 1.0, 1.5))

sides = st.integers(2, 8).map(lambda half: 2 * half)
mosaics = st.tuples(sides, sides).flatmap(
    lambda shape: hnp.arrays(np.uint16, shape, elements=st.integers(0, 1023))
)


def test_packing_order_is_that_of_the_published_loaders():
    mosaic = np.array(
        [
            ["R", "Gb"],
            ["Gr", "B"],
        ]
    )
    assert pack_bayer(mosaic)[0, 0].tolist() == ["B", "Gb", "R", "Gr"]


@given(mosaics)
def test_unpack_inverts_pack(mosaic):
    np.testing.assert_array_equal(unpack_bayer(pack_bayer(mosaic)), mosaic)


@given(mosaics, st.sampled_from([0, 1]))
def test_packed_flip_is_the_mosaic_flipped_and_cropped_back_into_phase(mosaic, axis):
    flipped = np.flip(mosaic, axis)
    in_phase = flipped[1:-1] if axis == 0 else flipped[:, 1:-1]
    np.testing.assert_array_equal(flip_packed(pack_bayer(mosaic), axis), pack_bayer(in_phase))


@given(mosaics)
def test_packed_transposition_is_the_mosaic_transposed(mosaic):
    np.testing.assert_array_equal(transpose_packed(pack_bayer(mosaic)), pack_bayer(mosaic.T))


@pytest.mark.parametrize("axis", [0, 1])
def test_flips_keep_the_colour_of_each_plane_and_the_place_of_each_pixel(axis):
    # A scene whose colours are their own coordinates: blue 1000 + x + 10 y, ...
    ys, xs = np.mgrid[:10, :10]
    rgb = np.stack([100 + xs + 10 * ys, 400 + xs + 10 * ys, 700 + xs + 10 * ys], axis=-1)

    def mosaic_of(image):
        mosaic = image[..., 1].copy()
        mosaic[0::2, 0::2] = image[0::2, 0::2, 0]
        mosaic[1::2, 1::2] = image[1::2, 1::2, 2]
        return mosaic

    flipped = flip_packed(pack_bayer(mosaic_of(rgb)), axis)
    np.testing.assert_array_equal(flipped, pack_bayer(mosaic_of(flip_target(rgb, axis))))
    naive = np.flip(pack_bayer(mosaic_of(rgb)), axis)
    assert not np.array_equal(naive, pack_bayer(mosaic_of(np.flip(rgb, axis))))


def test_odd_mosaics_are_refused():
    with pytest.raises(UserError, match="even sides, got 3x4"):
        pack_bayer(np.zeros((3, 4)))


def test_sensor_sqrt_encoding_by_hand():
    packed = np.full((1, 1, 4), 64 + 959 // 4, np.uint16)
    signal = (959 // 4) / 959
    expected = np.sqrt(np.array([1.5, 1.0, 2.0, 1.0]) * signal)
    np.testing.assert_allclose(encode_raw(packed, SENSOR)[0, 0], expected, rtol=1e-6)


def test_sensor_sqrt_clips_below_black():
    assert encode_raw(np.full((1, 1, 4), 10, np.uint16), SENSOR).max() == 0


def test_linear_encoding_is_the_challenge_systems():
    packed = np.array([[[0, 255, 510, 1020]]], np.uint16)
    np.testing.assert_allclose(encode_raw(packed, SENSOR, "linear")[0, 0], [0, 0.25, 0.5, 1])


def test_encoding_does_not_depend_on_the_stored_type():
    values = np.arange(64, 256).reshape(2, 24, 4)
    np.testing.assert_array_equal(
        encode_raw(values.astype(np.uint8), SENSOR), encode_raw(values.astype(np.uint16), SENSOR)
    )


@pytest.mark.parametrize("levels", [(64, 64), (-1, 1023), (64, 1024)])
def test_impossible_sensor_levels_are_refused(levels):
    with pytest.raises(UserError, match="do not fit 10 bits"):
        Sensor(10, *levels)


def test_sensor_survives_json():
    assert Sensor.from_dict(SENSOR.to_dict()) == SENSOR


def test_encoder_must_fit_the_data():
    rgb = PairMeta("x", "bokeh", "train")
    np.testing.assert_allclose(encoder_for(rgb)(np.array([[[0, 51, 255]]])), [[[0, 0.2, 1]]])
    with pytest.raises(UserError, match="does not fit RGB inputs: choose rgb"):
        encoder_for(rgb, "linear")
    with pytest.raises(UserError, match="does not fit RAW inputs"):
        encoder_for(SENSOR, "rgb")
    with pytest.raises(UserError, match="unknown encoding 'log'"):
        encoder_for(SENSOR, "log")

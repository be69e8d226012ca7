import numpy as np
import pytest
from scipy import ndimage

from search.data import bokeh
from search.data.filters import blur_disc, disc_kernel, fft_margin
from search.data.photographs import builtin_photos


@pytest.fixture(scope="module")
def photo():
    return builtin_photos().photographs[1].read()


def scene(background, layers, focus, depth=0.0, margin=8):
    side = background.shape[1]
    return bokeh.Scene(
        background=background,
        background_depth=np.full((side, side), depth, np.float32),
        layers=layers,
        focus=focus,
        shift=(0.0, 0.0),
        vignetting=0.0,
        margin=margin,
    )


def shoot(a_scene, f_number):
    slices, layers = bokeh.slice_background(a_scene), bokeh.layer_spectra(a_scene)
    return bokeh.render(a_scene, f_number, slices, layers)


def test_same_seed_same_pair(photo):
    first, second = (
        bokeh.render_pair(photo, lambda: photo, 64, np.random.default_rng(5)) for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_depth_map_is_what_is_nearest_in_each_pixel():
    """A far background, a layer over its left half, and a nearer one over the upper half."""
    side = 32
    grey = np.full((3, side, side), 0.5, np.float32)
    left, upper = np.zeros((2, side, side), np.float32)
    left[:, : side // 2] = 1
    upper[: side // 2] = 1
    layers = (bokeh.Layer(grey, left, 0.6), bokeh.Layer(grey, upper, 0.8))
    found = bokeh.depth_map(scene(grey, layers, focus=0.8, depth=0.2))
    assert found.shape == (16, 16)
    assert found.dtype == np.uint8
    assert (found[:8] == round(0.8 * 255)).all()
    assert (found[8:, :8] == round(0.6 * 255)).all()
    assert (found[8:, 8:] == round(0.2 * 255)).all()


def test_wide_open_is_blurrier_than_stopped_down(photo):
    sharp, blurred, _ = bokeh.render_pair(photo, lambda: photo, 96, np.random.default_rng(1))

    def detail(image):
        return np.abs(np.diff(image.astype(float), axis=1)).mean()

    assert detail(blurred) < 0.8 * detail(sharp)


def test_slice_weights_sum_to_one_everywhere():
    depth = np.random.default_rng(0).uniform(0.1, 0.3, (16, 16)).astype(np.float32)
    weights = bokeh.slice_weights(depth, np.linspace(0.1, 0.3001, 6, dtype=np.float32))
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-5)


def test_a_uniform_slanted_background_has_no_seams():
    side = 96
    background = np.full((3, side, side), 0.4, np.float32)
    ramp = np.linspace(0, 0.4, side, dtype=np.float32)[:, None] * np.ones((1, side), np.float32)
    flat = scene(background, (), focus=1.0)
    slanted = bokeh.Scene(**{**vars(flat), "background_depth": ramp})
    image = shoot(slanted, bokeh.WIDE_OPEN)
    assert image.min() == image.max() == round(255 * 0.4 ** (1 / 2.2))


def test_blur_of_the_background_is_a_disc_of_the_thin_lens_radius():
    side, margin = 96, 8
    background = np.zeros((3, side, side), np.float32)
    background[:, 48, 48] = 10.0  # a lamp
    image = shoot(scene(background, (), focus=1.0, margin=margin), bokeh.WIDE_OPEN)
    radius = bokeh.MAX_RADIUS_OF_FRAME * (side - 2 * margin)
    light = (image[..., 1] / 255) ** 2.2
    assert (light > 0.5 * light.max()).sum() == pytest.approx(np.pi * radius**2, rel=0.2)
    assert light.sum() == pytest.approx(10, rel=0.02)


def test_a_sharp_subject_keeps_its_colour_and_the_background_does_not_leak_over_it():
    side = 96
    white = np.ones((3, side, side), np.float32)
    coverage = np.zeros((side, side), np.float32)
    coverage[30:66, 30:66] = 1
    subject = bokeh.Layer(np.full((3, side, side), 0.1, np.float32), coverage, 1.0)
    image = shoot(scene(white, (subject,), focus=1.0), bokeh.WIDE_OPEN)
    # In the visible frame the subject covers 22..58; two pixels of its edge are soft.
    inside = image[25:55, 25:55]
    assert np.abs(inside.astype(int) - round(255 * 0.1 ** (1 / 2.2))).max() <= 1
    assert image[:18].min() == 255


def test_f16_keeps_the_lamp_within_a_pixel():
    background = np.zeros((3, 96, 96), np.float32)
    background[:, 48, 48] = 0.9
    image = shoot(scene(background, (), focus=1.0), bokeh.STOPPED_DOWN)
    light = (image[..., 1] / 255) ** 2.2
    assert (light > 0.5 * light.max()).sum() == 1


@pytest.mark.parametrize("radius", [0.0, 0.4, 1.0, 3.3])
def test_disc_kernel(radius):
    kernel = disc_kernel(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1])
    assert kernel.shape[0] == 2 * int(np.ceil(radius)) + 1


def test_blur_disc_is_the_convolution_with_reflected_borders():
    image = np.random.default_rng(3).uniform(0, 255, (30, 40, 3)).astype(np.float32)
    kernel = disc_kernel(2.5)
    expected = ndimage.convolve(image, kernel[..., None], mode="mirror")
    np.testing.assert_allclose(blur_disc(image, 2.5), expected, atol=0.01)


def test_fft_margin_reaches_a_fast_length():
    margin = fft_margin(256, 15)
    assert margin >= 15
    assert 256 + 2 * margin == 288

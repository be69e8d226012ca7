from dataclasses import replace

import numpy as np
import pytest

from search.data import isp
from search.data.baselines import demosaic, fit_colour_matrix
from search.data.raw import pack_bayer, unpack_bayer


def quiet_camera(seed=0):
    """A camera without noise, shading or shift."""
    drawn = isp.draw_camera(np.random.default_rng(seed))
    return replace(drawn, shot_noise=0.0, read_variance=0.0, shading=0.0, shift=(0.0, 0.0))


def test_process_inverts_unprocess_below_the_highlights():
    rgb = np.random.default_rng(1).integers(5, 200, (32, 32, 3), dtype=np.uint8)
    camera = quiet_camera()
    restored = 255 * isp.process(isp.unprocess(rgb, camera), camera)
    # Colours outside the camera's gamut clip at zero; the others come back.
    inside = (isp.unprocess(rgb, camera) > 0).all(axis=-1)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(restored[inside], rgb[inside], atol=0.1)


def test_tone_curve_and_its_inverse():
    display = np.linspace(0, 1, 101, dtype=np.float32)
    np.testing.assert_allclose(isp.to_display(isp.to_linear(display)), display, atol=2e-4)


def test_white_saturates_every_channel():
    white = np.full((2, 2, 3), 255, np.uint8)
    np.testing.assert_allclose(isp.unprocess(white, quiet_camera()), 1, atol=1e-5)


@pytest.mark.parametrize("signal", [0.05, 0.3, 0.6])
def test_noise_has_the_model_s_variance(signal):
    camera = replace(quiet_camera(), shot_noise=1e-3, read_variance=2e-5)
    flat = np.full((256, 256, 3), signal, np.float32)
    raw = isp.expose(flat, camera, np.random.default_rng(2))
    sensor = isp.SENSOR
    span = sensor.white_level - sensor.black_level
    expected = (camera.shot_noise * signal + camera.read_variance) * span**2 + 1 / 12
    assert raw.mean() == pytest.approx(sensor.black_level + span * signal, abs=0.3)
    assert raw.var() == pytest.approx(expected, rel=0.03)


def test_shot_noise_is_log_uniform_and_read_noise_follows_it():
    cameras = [isp.draw_camera(np.random.default_rng(seed)) for seed in range(2000)]
    shot = np.array([camera.shot_noise for camera in cameras])
    low, high = isp.SHOT_NOISE_RANGE
    assert low <= shot.min() < shot.max() <= high
    assert np.log(shot).mean() == pytest.approx(np.log([low, high]).mean(), abs=0.1)
    read = np.array([camera.read_variance for camera in cameras])
    np.testing.assert_allclose(read, 6 * shot**2)


def test_gains_are_distributed_as_documented():
    cameras = [isp.draw_camera(np.random.default_rng(seed)) for seed in range(2000)]
    gains = np.array([(camera.red_gain, camera.blue_gain) for camera in cameras])
    np.testing.assert_allclose(gains.mean(axis=0), [2.05, 1.75], atol=0.02)
    np.testing.assert_allclose(gains.std(axis=0), [0.02, 0.02], rtol=0.1)
    assert np.corrcoef(gains.T)[0, 1] == pytest.approx(isp.GAIN_CORRELATION, abs=0.05)


def test_colour_matrices_keep_white():
    camera = quiet_camera(3)
    np.testing.assert_allclose(camera.rgb_to_camera.sum(axis=1), 1)


def test_mosaic_is_rggb():
    colours = np.broadcast_to(np.float32([0.2, 0.5, 0.8]), (4, 4, 3))
    raw = isp.expose(colours, quiet_camera(), np.random.default_rng(0))
    red, green, blue = (round(64 + 959 * level) for level in (0.2, 0.5, 0.8))
    expected = [[red, green], [green, blue]]
    np.testing.assert_array_equal(unpack_bayer(raw)[:2, :2], expected)


def test_shading_darkens_with_the_distance_from_the_frame_s_centre():
    camera = replace(quiet_camera(), shading=0.4)
    size, frame = 32, (332, 332)
    white = np.ones((size + 2 * isp.MARGIN, size + 2 * isp.MARGIN, 3), np.float32)
    centre = isp.add_lens(white, camera, isp.Patch(150, 150, size, frame))
    corner = isp.add_lens(white, camera, isp.Patch(300, 300, size, frame))
    assert centre.min() > 0.99
    assert corner[-1, -1, 0] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("shift", [(1.0, 0.0), (0.0, -1.0)])
def test_the_raw_image_moves_by_the_shift(shift):
    rng = np.random.default_rng(4)
    size, margin = 24, isp.MARGIN
    image = rng.random((size + 2 * margin + 2, size + 2 * margin + 2, 3)).astype(np.float32)
    patch = isp.Patch(100, 100, size, (1000, 1000))
    down, right = (int(step) for step in shift)
    still = isp.add_lens(
        image[1 - down : -1 - down or None, 1 - right : -1 - right or None], quiet_camera(), patch
    )
    moved = isp.add_lens(image[1:-1, 1:-1], replace(quiet_camera(), shift=shift), patch)
    np.testing.assert_allclose(moved, still, atol=1e-4)


def test_grid_is_disjoint_first_and_stays_inside():
    patches = isp.grid_patches((200, 300), 64)
    covered = np.zeros((200, 300), int)
    for patch in patches[: (200 - 8) // 64 * ((300 - 8) // 64)]:
        covered[patch.top : patch.top + 64, patch.left : patch.left + 64] += 1
    assert covered.max() == 1
    assert all(
        patch.top >= isp.MARGIN
        and patch.top + 64 + isp.MARGIN <= 200
        and patch.left >= isp.MARGIN
        and patch.left + 64 + isp.MARGIN <= 300
        for patch in patches
    )
    assert len({(patch.top, patch.left) for patch in patches}) == len(patches)


def test_flat_patches_have_no_contrast():
    photo = np.full((100, 100, 3), 120, np.uint8)
    patch = isp.Patch(10, 10, 64, (100, 100))
    assert not isp.has_contrast(photo, patch)
    photo[:, 50:] = 140
    assert isp.has_contrast(photo, patch)


def test_demosaicing_a_gradient_is_exact_inside():
    ys, xs = np.mgrid[:12, :12]
    mosaic = (64 + 20 * xs + 30 * ys).astype(np.uint16)
    rgb = demosaic(pack_bayer(mosaic), isp.SENSOR)
    expected = (mosaic - 64) / 959
    np.testing.assert_allclose(rgb[1:-1, 1:-1], np.repeat(expected[1:-1, 1:-1, None], 3, -1), 1e-4)


def test_fitted_matrix_recovers_a_camera():
    camera = quiet_camera(5)
    rng = np.random.default_rng(6)
    pairs = []
    for _ in range(12):
        rgb = np.broadcast_to(rng.integers(40, 180, 3).astype(np.uint8), (40, 40, 3))
        pairs.append((isp.expose(isp.unprocess(rgb, camera), camera, rng), rgb))
    expected = np.linalg.inv(np.diag(camera.inverse_gains) @ camera.rgb_to_camera).T
    np.testing.assert_allclose(fit_colour_matrix(pairs, isp.SENSOR), expected, atol=0.08)


def test_quick_look_is_dark_and_green():
    gray = np.full((8, 8, 3), 128, np.uint8)
    raw = isp.expose(isp.unprocess(gray, quiet_camera()), quiet_camera(), np.random.default_rng(0))
    red, green, blue = isp.quick_look(raw, isp.SENSOR)[0, 0]
    assert max(red, blue) < green < 160

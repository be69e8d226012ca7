import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity

from search.errors import UserError
from search.training.ssim import ssim

RNG = np.random.default_rng(0)
SMOOTH = np.tile(np.linspace(0, 1, 32, dtype=np.float32)[None, :, None, None], (3, 1, 40, 3))
NOISY = np.clip(SMOOTH + 0.1 * RNG.standard_normal(SMOOTH.shape), 0, 1).astype(np.float32)


def test_agrees_with_tensorflow():
    np.testing.assert_allclose(
        ssim(SMOOTH, NOISY), tf.image.ssim(SMOOTH, NOISY, max_val=1.0), atol=1e-5
    )


def test_agrees_with_scikit_image():
    for ours, target, prediction in zip(ssim(SMOOTH, NOISY), SMOOTH, NOISY, strict=True):
        _, full = structural_similarity(
            target, prediction, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, full=True,
        )  # fmt: skip
        assert float(ours) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-4)


def test_identical_images_give_one():
    np.testing.assert_allclose(ssim(NOISY, NOISY), 1.0, atol=1e-6)


def test_images_smaller_than_the_window_are_an_error_of_one_line():
    small = np.zeros((1, 8, 8, 3), np.float32)
    with pytest.raises(UserError, match="11 pixels a side, not 8"):
        ssim(small, small)

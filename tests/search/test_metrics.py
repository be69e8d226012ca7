import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from search.metrics import psnr_db


def test_agrees_with_scikit_image():
    rng = np.random.default_rng(0)
    target, prediction = rng.random((2, 5, 8, 8, 3), np.float32)
    expected = [
        peak_signal_noise_ratio(t, p, data_range=1.0)
        for t, p in zip(target, prediction, strict=True)
    ]
    np.testing.assert_allclose(psnr_db(target, prediction), expected, rtol=1e-6)


def test_by_hand():
    black = np.zeros((1, 4, 4, 3))
    assert psnr_db(black, black + 1)[0] == pytest.approx(0)
    assert psnr_db(black, black + 1 / 255)[0] == pytest.approx(48.1308, abs=1e-4)
    assert psnr_db(black, black)[0] == pytest.approx(100)


def test_predictions_are_clipped():
    target = np.ones((1, 2, 2, 3), np.float32)
    assert psnr_db(target, target * 1.5)[0] == pytest.approx(100.0)

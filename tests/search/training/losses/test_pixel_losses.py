"""Losses of single pixels against hand-computed values."""

import math

import numpy as np
import pytest
import tensorflow as tf

from search.training.losses import LOSSES

TARGET = np.zeros((2, 4, 4, 3), np.float32)
TENTH = np.full((2, 4, 4, 3), 0.1, np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l1", 0.1),
        ("mse", 0.01),
        ("psnr", math.log(0.01 + 1e-8)),
        ("charbonnier", math.sqrt(0.01 + 1e-6)),
    ],
)
def test_value_by_hand(name, expected):
    assert float(LOSSES[name](TARGET, TENTH)) == pytest.approx(expected, rel=1e-5)


def test_psnr_loss_is_psnr_up_to_a_factor():
    rng = np.random.default_rng(0)
    target, prediction = rng.random((2, 3, 8, 8, 3), np.float32)
    psnr = tf.image.psnr(target, prediction, max_val=1.0).numpy().mean()
    loss = float(LOSSES["psnr"](target, prediction))
    assert loss == pytest.approx(-psnr * math.log(10) / 10, rel=1e-4)

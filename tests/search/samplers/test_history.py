"""What is expected of pruned trials."""

import numpy as np
import pytest

from search.samplers.history import fitted_gain


def test_of_many_trials_the_gain_is_their_line():
    at_db = np.linspace(25, 28, 400)
    gains = 0.8 - 0.4 * (at_db - 26) + 0.1 * np.random.default_rng(0).standard_normal(400)
    gain = fitted_gain(list(zip(at_db, gains, strict=True)))
    assert gain.expected_db(24.0) == pytest.approx(1.6, abs=0.05)
    assert gain.variance == pytest.approx(0.01, rel=0.15)


def test_of_few_and_noisy_trials_it_is_nearly_their_mean():
    points = [(26.0, 0.2), (26.1, 1.0), (26.05, 0.3)]
    gain = fitted_gain(points)
    slope, _ = np.polyfit(*zip(*points, strict=True), 1)
    assert 0 < gain.tilt < 0.1 * slope
    assert gain.expected_db(24.0) == pytest.approx(0.5, abs=0.2)


def test_trials_that_stood_alike_tell_nothing_of_a_slope():
    gain = fitted_gain([(26.0, 0.2), (26.0, 0.4), (26.0, 0.6)])
    assert (gain.tilt, gain.gain_db) == pytest.approx((0.0, 0.4))
    assert gain.variance == pytest.approx(0.04)

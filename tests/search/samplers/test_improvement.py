"""Expected improvements: against drawing many PSNRs and counting."""

import numpy as np
import pytest

from search.report.hypervolume import hypervolume
from search.samplers.improvement import (
    expected_hypervolume_improvement,
    expected_improvement,
    staircase,
)

FRONT = [(24.0, 2.0), (25.5, 3.0), (26.0, 4.5), (25.0, 4.0)]
REFERENCE = (23.0, 5.0)


def area(front):
    """Above `REFERENCE`, in dB x octaves."""
    floor_db, slowest = REFERENCE
    return hypervolume([(ms, psnr_db) for psnr_db, ms in front], (slowest, floor_db))


def test_the_staircase_leaves_dominated_points_out():
    assert staircase(FRONT, REFERENCE)[1:] == [(2.0, 24.0), (3.0, 25.5), (4.5, 26.0)]


def test_expected_improvement_is_a_mean_of_improvements():
    rng = np.random.default_rng(0)
    means, deviations = np.array([24.0, 25.0, 26.0]), np.array([0.1, 0.7, 0.5])
    drawn = means + deviations * rng.standard_normal((400_000, 3))
    expected = np.maximum(drawn - 25.2, 0).mean(axis=0)
    np.testing.assert_allclose(expected_improvement(means, deviations, 25.2), expected, atol=3e-3)


@pytest.mark.parametrize(("mean", "log2_ms"), [(25.0, 2.5), (26.5, 1.0), (24.0, 4.9), (23.0, 6.0)])
def test_expected_hypervolume_improvement_is_a_mean_of_gains(mean, log2_ms):
    rng = np.random.default_rng(0)
    before = area(FRONT)
    gains = [
        area([*FRONT, (psnr_db, log2_ms)]) - before
        for psnr_db in mean + 0.6 * rng.standard_normal(20_000)
    ]
    (found,) = expected_hypervolume_improvement(
        np.array([mean]), np.array([0.6]), np.array([log2_ms]), FRONT, REFERENCE
    )
    assert found == pytest.approx(np.mean(gains), rel=0.03, abs=2e-3)


def test_without_a_front_all_above_the_reference_is_gained():
    (found,) = expected_hypervolume_improvement(
        np.array([25.0]), np.array([1e-9]), np.array([3.0]), [], REFERENCE
    )
    assert found == pytest.approx(2.0 * 2.0)

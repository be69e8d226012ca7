import math

import numpy as np
import pytest

from search.report.hypervolume import hypervolume, hypervolume_history
from search.report.progress import hypervolume_over, reference_point


def by_counting(points, reference, cells=400):
    """Share of a fine grid of cell centres that some point dominates, times its area."""
    low = min(cost for cost, _ in points)
    high = max(value for _, value in points)
    cost = low + (np.arange(cells) + 0.5) / cells * (reference[0] - low)
    value = reference[1] + (np.arange(cells) + 0.5) / cells * (high - reference[1])
    dominated = np.zeros((cells, cells), bool)
    for x, y in points:
        dominated |= (cost[:, None] >= x) & (value[None, :] <= y)
    return dominated.mean() * (reference[0] - low) * (high - reference[1])


def test_three_steps_by_hand():
    #  value
    #    3 |        +--      reference (10, 0)
    #    2 |   +----         strips: (10-1)*1 + (10-4)*1 + (10-6)*1 = 19
    #    1 |+--              the point (5, 1) is dominated by (4, 2)
    #      +-1--4---6-- cost
    assert hypervolume([(6, 3), (1, 1), (5, 1), (4, 2)], (10, 0)) == 19


@pytest.mark.parametrize(
    ("points", "volume"),
    [([], 0), ([(2, 5)], 40), ([(10, 5)], 0), ([(2, 0)], 0), ([(2, 5), (2, 3), (2, 5)], 40)],
)
def test_edges(points, volume):
    assert hypervolume(points, (10, 0)) == volume


@pytest.mark.parametrize("seed", range(5))
def test_against_counting_cells(seed):
    rng = np.random.default_rng(seed)
    points = [tuple(p) for p in rng.uniform(0, 1, (20, 2))]
    exact = hypervolume(points, (1.0, 0.0))
    assert exact == pytest.approx(by_counting(points, (1.0, 0.0)), rel=0.02)


def test_the_history_is_the_hypervolume_of_every_prefix():
    rng = np.random.default_rng(7)
    points = [tuple(p) for p in rng.uniform(0, 1, (30, 2))]
    history = hypervolume_history(points, (0.9, 0.1))
    assert history == pytest.approx(
        [hypervolume(points[: n + 1], (0.9, 0.1)) for n in range(len(points))]
    )


def test_of_a_study_it_is_measured_from_the_slowest_and_the_worst(make_results):
    results = make_results(complete=12)
    slowest = max(t.estimate.runtime_ms for t in results.complete)
    worst = min(t.psnr_db for t in results.complete)
    assert reference_point(results) == (math.log2(slowest), worst)
    curve = hypervolume_over(results).data[0].y
    assert list(curve) == sorted(curve)
    assert curve[-1] > 0

"""Learning rates by hand, and stages that share a run out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.training.recipe import Recipe, Stage
from search.training.schedule import FLOOR, learning_rates, spans


def rates(schedule, steps=71, **settings):
    recipe = Recipe(steps=steps, warmup_steps=0, learning_rate=0.1, schedule=schedule, **settings)
    return learning_rates(recipe)


def test_cosine_falls_from_the_rate_to_nothing():
    found = rates("cosine", 100)
    assert found[0] == 0.1
    assert found[50] == pytest.approx(0.05)
    assert found[-1] < 1e-4
    assert (np.diff(found) < 0).all()


def test_steps_halve_the_rate():
    found = rates("steps", 100, halvings=4)
    np.testing.assert_allclose(found[[0, 19, 20, 40, 60, 80, 99]],
                               [0.1, 0.1, 0.05, 0.025, 0.0125, 0.00625, 0.00625])  # fmt: skip


def test_restarts_come_back_to_the_rate_after_a_seventh_and_three_sevenths():
    found = rates("restarts", 70)
    np.testing.assert_allclose(found[[0, 10, 30]], 0.1)
    assert found[[9, 29, 69]].max() < 0.01
    assert found.min() >= 0.1 * FLOOR
    assert found[50] == pytest.approx(0.05, rel=0.01)


def test_constant_and_warm_up():
    recipe = Recipe(steps=10, warmup_steps=4, learning_rate=0.1, schedule="constant")
    found = learning_rates(recipe)
    np.testing.assert_allclose(found[4:], 0.1)
    np.testing.assert_allclose(found[:4], [0.025, 0.04375, 0.0625, 0.08125])


def test_a_stage_scales_its_part():
    stages = (Stage(share=1, learning_rate_factor=0.1), Stage(share=3))
    found = rates("constant", 20, stages=stages)
    np.testing.assert_allclose(found, [0.01] * 5 + [0.1] * 15)


@given(
    shares=st.lists(st.floats(0.01, 100), min_size=1, max_size=6),
    spare=st.integers(0, 50),
)
def test_stages_cover_all_steps_and_each_has_one(shares, spare):
    steps = len(shares) + spare
    found = spans([Stage(share=share) for share in shares], steps)
    assert all(len(span) >= 1 for span in found)
    assert [step for span in found for step in span] == list(range(steps))

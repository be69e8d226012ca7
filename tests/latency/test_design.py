"""D-optimal choices against exhaustive search and against chance."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency.design import d_optimal, log_det


@given(seed=st.integers(0, 10_000))
def test_exchanges_come_close_to_the_best_of_all_choices(seed):
    rows = np.random.default_rng(seed).normal(size=(8, 3))
    best = max(log_det(rows[list(c)]) for c in itertools.combinations(range(8), 4))
    assert log_det(rows[d_optimal(rows, 4)]) >= best - 0.7


def test_it_beats_random_choices():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 6)) * rng.uniform(0.1, 3, size=(60, 1))
    ours = log_det(rows[d_optimal(rows, 12)])
    chance = [log_det(rows[rng.choice(60, 12, replace=False)]) for _ in range(200)]
    assert ours > max(chance)


def test_rows_are_chosen_once_and_in_order():
    rows = np.eye(4)[[0, 0, 1, 1, 2, 3]]
    chosen = d_optimal(rows, 4)
    assert chosen == sorted(set(chosen))
    assert {int(np.argmax(rows[i])) for i in chosen} == {0, 1, 2, 3}


@pytest.mark.parametrize("count", [0, 7])
def test_impossible_counts_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} of 6"):
        d_optimal(np.eye(6), count)

import itertools

import numpy as np
import pytest

from search.report.thin import CELLS, MOST_MARKS, drawn_note, evenly, one_a_cell


def test_a_few_are_all_drawn():
    items = list(range(MOST_MARKS))
    assert one_a_cell(items, lambda i: (i, -i)) == items


def test_of_many_the_first_in_each_place_is_left():
    rng = np.random.default_rng(0)
    points = [tuple(point) for point in rng.normal(size=(20_000, 2))]
    left = one_a_cell(points, lambda p: p)
    assert MOST_MARKS / 3 < len(left) <= CELLS[0] * CELLS[1]
    assert left[0] == points[0]
    # Whatever is left out has a drawn neighbour within a cell.
    spans = np.ptp(points, axis=0) / CELLS
    drawn = np.array(left)
    for point in points[:: len(points) // 50]:
        assert (np.abs(drawn - point) <= spans).all(axis=1).any()


def test_many_in_one_place_are_one():
    assert len(one_a_cell([(1.0, 2.0)] * 5_000, lambda p: p)) == 1


@pytest.mark.parametrize("count", [1, 10, 11, 25, 1000])
def test_evenly_spaced_from_the_first(count):
    items = list(range(count))
    some = evenly(items, 10)
    assert len(some) == min(count, 10)
    assert some[0] == 0
    assert count - some[-1] <= count / 10 + 1
    assert len({b - a for a, b in itertools.pairwise(some)}) <= 2


def test_a_legend_says_how_many_are_drawn():
    assert drawn_note(9, 9) == ""
    assert drawn_note(900, 10_000) == ", 900 of 10,000 drawn"

"""Fewer marks for figures of large studies: what would be drawn over each other is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from search.data.sample import evenly_spaced

Item = TypeVar("Item")
Place = tuple[float, float]

MOST_MARKS = 1_500
"""Up to which a figure draws every trial: SVG stays fluid with so many."""
CELLS = (60, 40)
"""Columns and rows of the grid that holds one mark a cell: about two marks wide on a desktop."""


def one_a_cell(items: Sequence[Item], at: Callable[[Item], Place]) -> list[Item]:
    """All of a few `items`; of many the first in each cell of a grid over their places.

    At most `CELLS[0] * CELLS[1]` are left, in their order, so who matters most should come first.
    """
    if len(items) <= MOST_MARKS:
        return list(items)
    places = np.array([at(item) for item in items])
    low, high = places.min(axis=0), places.max(axis=0)
    width = np.where(high > low, (high - low) / CELLS, np.inf)
    columns, rows = np.minimum((places - low) / width, np.array(CELLS) - 1).astype(int).T
    _, first = np.unique(columns * CELLS[1] + rows, return_index=True)
    return [items[index] for index in sorted(first.tolist())]


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items, evenly spaced, the first among them."""
    return [items[index] for index in evenly_spaced(len(items), most)]


def drawn_note(shown: int, all_of_them: int) -> str:
    """For a legend: ", 900 of 10,000 drawn"; nothing where all are."""
    return "" if shown == all_of_them else f", {shown:,} of {all_of_them:,} drawn"

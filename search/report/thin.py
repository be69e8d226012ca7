"""Fewer marks for figures of large studies: what would be drawn over each other is left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

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
    places = [at(item) for item in items]
    columns, rows = (
        _cells(values, count)
        for values, count in zip(zip(*places, strict=True), CELLS, strict=True)
    )
    first: dict[tuple[int, int], Item] = {}
    for cell, item in zip(zip(columns, rows, strict=True), items, strict=True):
        first.setdefault(cell, item)
    return list(first.values())


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items, evenly spaced, the first among them."""
    return [items[index] for index in evenly_spaced(len(items), most)]


def drawn_note(shown: int, all_of_them: int) -> str:
    """For a legend: ", 900 of 10,000 drawn"; nothing where all are."""
    return "" if shown == all_of_them else f", {shown:,} of {all_of_them:,} drawn"


def _cells(values: Iterable[float], count: int) -> list[int]:
    known = list(values)
    low, high = min(known), max(known)
    width = (high - low) / count or math.inf
    return [min(int((value - low) / width), count - 1) for value in known]

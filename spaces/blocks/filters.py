"""Fixed filters beside an input, found by name.

CHannel Team of the Mobile AI 2022 challenge has paths of a Gauss and of a Sobel filter. Learned
convolutions could find them; brief training is spared the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spaces.registry import Registry

Taps = Sequence[Sequence[float]]
"""A square of weights, the same for every channel."""

GAUSS: Taps = ((1 / 16, 2 / 16, 1 / 16), (2 / 16, 4 / 16, 2 / 16), (1 / 16, 2 / 16, 1 / 16))
SOBEL: Taps = ((1, 0, -1), (2, 0, -2), (1, 0, -1))
"""The slope along a row."""
SOBEL_DOWN: Taps = ((1, 2, 1), (0, 0, 0), (-1, -2, -1))
"""The slope along a column."""

FILTERS: Registry[Sequence[Taps]] = Registry("set of fixed filters")

FILTERS.add("none", ())
FILTERS.add("gauss", (GAUSS,))
FILTERS.add("sobel", (SOBEL, SOBEL_DOWN))
FILTERS.add("gauss_sobel", (GAUSS, SOBEL, SOBEL_DOWN))


def with_filtered(ops: Any, x: Any, filters: Sequence[Taps]) -> Any:
    """[1, H, W, C] -> [1, H, W, (1 + filters) * C]: the input, then each filter's image of it."""
    if not filters:
        return x
    return ops.concat([x, *(ops.fixed_depthwise(x, taps) for taps in filters)])

"""`d_optimal`: which few experiments say most about the prices of a linear cost model.

D-optimal design: of the candidate rows, choose those with the largest determinant of
the information matrix X'X, so that all prices together are known best (Fedorov, "Theory
of Optimal Experiments", 1972).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MAX_SWEEPS = 20
_GAIN = 1e-9


def d_optimal(rows: Array, count: int, prior: float = 1e-3) -> list[int]:
    """Indices of `count` distinct rows (n x p) with the largest log det(prior I + X'X).

    Greedy, then improved by exchanges of one chosen against one other until none gains.
    `prior` keeps the determinant above zero while fewer than p rows are chosen.
    Raises ValueError for more rows than there are.
    """
    if not 0 < count <= len(rows):
        raise ValueError(f"{count} of {len(rows)} rows cannot be chosen")
    chosen: list[int] = []
    for _ in range(count):
        others = [i for i in range(len(rows)) if i not in chosen]
        gains = _gains(rows[others], _information(rows[chosen], prior))
        chosen.append(others[int(np.argmax(gains))])
    for _ in range(_MAX_SWEEPS):
        if not _exchange(rows, chosen, prior):
            break
    return sorted(chosen)


def log_det(rows: Array, prior: float = 1e-3) -> float:
    """log det(prior I + X'X) of the chosen rows."""
    return float(np.linalg.slogdet(_information(rows, prior))[1])


def _information(rows: Array, prior: float) -> Array:
    information: Array = prior * np.eye(rows.shape[1]) + rows.T @ rows
    return information


def _gains(rows: Array, information: Array) -> Array:
    """What each row adds to the log determinant (matrix determinant lemma)."""
    inverse = np.linalg.inv(information)
    gains: Array = np.log1p(np.einsum("ij,jk,ik->i", rows, inverse, rows))
    return gains


def _exchange(rows: Array, chosen: list[int], prior: float) -> bool:
    """Replace chosen rows by better ones, each at most once; whether any was replaced."""
    improved = False
    for place, old in enumerate(list(chosen)):
        rest = [i for i in chosen if i != old]
        others = [i for i in range(len(rows)) if i not in rest]
        gains = _gains(rows[others], _information(rows[rest], prior))
        best = int(np.argmax(gains))
        if gains[best] > gains[others.index(old)] + _GAIN:
            chosen[place] = others[best]
            improved = True
    return improved

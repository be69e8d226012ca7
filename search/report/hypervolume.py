"""The exact hypervolume of a set of points in two dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Point = tuple[float, float]
"""(cost, value): less cost and more value are better."""


def hypervolume(points: Iterable[Point], reference: Point) -> float:
    """Area that is at least as bad as some point and at least as good as `reference`.

    Points that do not beat the reference in both coordinates add nothing. Sweeps the
    points by cost, each adding the strip above the best value so far: O(n log n).
    """
    reference_cost, best = reference
    area = 0.0
    for cost, value in sorted(points):
        if cost < reference_cost and value > best:
            area += (reference_cost - cost) * (value - best)
            best = value
    return area


def hypervolume_history(points: Sequence[Point], reference: Point) -> list[float]:
    """The hypervolume of the first 1, 2, ..., n points."""
    areas: list[float] = []
    last: list[Point] | None = None
    for front in front_history(points):
        areas.append(areas[-1] if front is last else hypervolume(front, reference))
        last = front
    return areas


def front_history(points: Iterable[Point]) -> Iterator[list[Point]]:
    """The Pareto front of the first 1, 2, ..., n points, by cost; the same list while it stays."""
    front: list[Point] = []
    for point in points:
        if not any(cost <= point[0] and value >= point[1] for cost, value in front):
            front = _front([*front, point])
        yield front


def _front(points: Sequence[Point]) -> list[Point]:
    kept: list[Point] = []
    for cost, value in sorted(points, key=lambda p: (p[0], -p[1])):
        if not kept or value > kept[-1][1]:
            kept.append((cost, value))
    return kept

"""`ZooSystem`: one published network, rebuilt, and how sure we are of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from latency.graph import Graph
from spaces import SPACES
from spaces.architecture import Architecture, Value
from spaces.ops.trace import trace
from spaces.registry import Registry

from .published import NEVER_SUBMITTED, PublishedRow, Task, published_row

Confidence = Literal["exact", "high", "medium", "low"]

ISP_INPUT = (544, 960, 4)
"""Packed Bayer frame of the learned-ISP challenge; the output is 1088 x 1920 x 3."""
BOKEH_INPUT = (1024, 1024, 3)
"""RGB photograph of the bokeh challenge; the output has the same shape."""


@dataclass(frozen=True)
class ZooSystem:
    """One submission or baseline as an inference graph.

    `published_team`: its row in the task's published table; None for a network that was never
    submitted, such as a teacher. `input_shape`: (H, W, C)
    at the challenge's resolution. `network`: `network(ops, x) -> y`.
    `architecture`: the same network as a point of a search space, where it is one.
    `parameters`: learned numbers of `network`. `training`: how it was trained, by its authors,
    and what of that is assumed. `recipe`: the same as settings of a `Recipe`, for any budget.
    `confidence`: of the graph. "exact": public code or file; "high": full description;
    "medium": topology described, widths from the file size; "low": also topology guessed.
    """

    name: str
    task: Task
    title: str
    published_team: str | None
    input_shape: tuple[int, int, int]
    network: Callable[[Any, Any], Any]
    confidence: Confidence
    note: str
    parameters: int
    training: str
    recipe: Mapping[str, Any]
    architecture: Architecture | None = None

    @property
    def published(self) -> PublishedRow:
        """The row of the published table; an empty one without a `published_team`."""
        if self.published_team is None:
            return NEVER_SUBMITTED
        return published_row(self.task, self.published_team)

    def trace(self, resolution: tuple[int, int] | None = None) -> Graph:
        """The graph at an input `resolution` (H, W); without one, at the challenge's."""
        height, width = resolution or self.input_shape[:2]
        return trace(self.network, (height, width, self.input_shape[2]))


ZOO: Registry[ZooSystem] = Registry("zoo system")


def register(system: ZooSystem) -> ZooSystem:
    """Add `system` to `ZOO` under its own name."""
    return ZOO.add(system.name, system)


def in_space(space: str, choices: Mapping[str, Value]) -> dict[str, Any]:
    """`network` and `architecture` of a system that is a point of a search space."""
    architecture = SPACES[space].architecture(choices)
    return {"network": SPACES[space].bind(architecture), "architecture": architecture}

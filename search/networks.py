"""From an `Architecture` to its network, wherever it comes from: a space or the zoo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from latency.graph import Graph
from spaces import SPACES
from spaces.architecture import Architecture
from spaces.ops.trace import trace
from spaces.zoo import ZOO

ZOO_SPACE = "zoo"
"""`Architecture.space` of a published system that lies in no search space."""


@dataclass(frozen=True)
class Candidate:
    """A network function with what building it needs.

    `residual`: whether the network adds its input to its output. `tone`: what it does to its
    output's values in the end, of `TONE`.
    """

    network: Callable[[Any, Any], Any]
    input_channels: int
    residual: bool = False
    tone: str = "none"

    @property
    def clipped(self) -> Candidate:
        """With its output cut to [0, 1], as it is exported: no kernel more, for the GPU delegate
        does that within the last one."""
        return replace(self, network=lambda ops, x: ops.clip(self.network(ops, x)))

    def trace(self, height: int, width: int) -> Graph:
        """The graph on an input of `height` x `width`."""
        return trace(self.network, (height, width, self.input_channels))


def candidate(architecture: Architecture) -> Candidate:
    """The network of `architecture`; KeyError for a space or system that is not there."""
    if architecture.space == ZOO_SPACE:
        system = ZOO[str(architecture.choices["system"])]
        return Candidate(system.network, system.input_shape[2])
    space = SPACES[architecture.space]
    residual = architecture.choices.get("global_path") == "residual"
    tone = str(architecture.choices.get("tone", "none"))
    return Candidate(space.bind(architecture), space.input_channels, residual, tone)


def zoo_architecture(name: str) -> Architecture:
    """The architecture of a published system: of its space, or of the zoo itself."""
    system = ZOO[name]
    return system.architecture or Architecture.of(ZOO_SPACE, {"system": name})

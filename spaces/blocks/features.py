"""The registry of feature blocks: H and W stay, `width` channels come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.ops.protocol import Activation
from spaces.registry import Registry

FeatureBlock = Callable[[Any, Any, int, Activation], Any]
"""(ops, x, width, activation) -> y"""

FEATURES: Registry[FeatureBlock] = Registry("feature block")
"""The activation takes the place of a paper's ReLU; other non-linearities stay as they are."""


def projected(block: Callable[[Any, Any, Activation], Any]) -> FeatureBlock:
    """A `block` (ops, x, activation) -> y that keeps its channels, for any `width`.

    A 1x1 convolution stands before it where the channels of x are not `width`.
    """

    def feature(ops: Any, x: Any, width: int, activation: Activation) -> Any:
        if ops.channels(x) != width:
            x = ops.conv(x, width, 1)
        return block(ops, x, activation)

    return feature

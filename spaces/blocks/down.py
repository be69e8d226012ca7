"""Down-sampling: H and W halve. The convolutions of the next level set its width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.ops.protocol import Activation
from spaces.registry import Registry

from .convs import strided3

Down = Callable[[Any, Any, int, Activation], Any]
"""(ops, x, width, activation) -> y"""

DOWN: Registry[Down] = Registry("down-sampling")

DOWN.add("strided", strided3)


@DOWN.register("max_pool")
def max_pool(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """2x2 max pooling; channels stay."""
    return ops.max_pool(x)


@DOWN.register("average_pool")
def average_pool(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """2x2 average pooling; channels stay."""
    return ops.average_pool(x)


@DOWN.register("space_to_depth")
def space_to_depth(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """2x2 pixels to channels: loses nothing, channels times 4."""
    return ops.space_to_depth(x, 2)

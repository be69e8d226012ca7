"""Down-sampling: H and W halve. The convolutions of the next level set its width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.ops.protocol import Activation
from spaces.registry import Registry

from .wavelet import haar_dwt

Down = Callable[[Any, Any, int, Activation], Any]
"""(ops, x, width, activation) -> y"""

DOWN: Registry[Down] = Registry("down-sampling")


@DOWN.register("strided")
def strided(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution of stride 2 to `width` channels, the activation included."""
    return ops.activation(ops.conv(x, width, 3, stride=2), activation)


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


@DOWN.register("haar")
def haar(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """Haar wavelet transform: loses nothing, channels times 4, low frequencies first."""
    return haar_dwt(ops, x)

"""Channel attention."""

from __future__ import annotations

from typing import Any

from spaces.ops.protocol import Activation


def channel_attention(
    ops: Any, x: Any, *, reduction: int = 4, activation: Activation = "relu"
) -> Any:
    """Squeeze-and-excitation: global mean, 1x1 to C/reduction, 1x1 to C, sigmoid, multiply.

    Hu et al., CVPR 2018; the reduction of 4 is the one with which the rebuilt
    ENERZAi track-1 entry has its published file size.
    """
    channels = ops.channels(x)
    gate = ops.conv(ops.global_average(x), max(1, channels // reduction), 1, init="random")
    gate = ops.conv(ops.activation(gate, activation), channels, 1, init="random")
    return ops.multiply(x, ops.activation(gate, "sigmoid"))

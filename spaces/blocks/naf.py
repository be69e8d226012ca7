"""Blocks of NAFNet, a network without activation functions. Chen et al., ECCV 2022."""

from __future__ import annotations

from typing import Any

from .attention import ATTENTION
from .features import FEATURES, projected


def naf_block(ops: Any, x: Any) -> Any:
    """H, W and channels stay; two residual halves, the second without neighbours.

    The paper's learned scale of either half (beta, gamma) is merged into the 1x1 convolution
    before it, as the converter does.
    """
    width = ops.channels(x)
    y = ops.depthwise(ops.conv(ops.layer_norm(x), 2 * width, 1), 3)
    y = simple_channel_attention(ops, simple_gate(ops, y))
    x = ops.add(x, ops.conv(y, width, 1, init="small"))
    y = simple_gate(ops, ops.conv(ops.layer_norm(x), 2 * width, 1))
    return ops.add(x, ops.conv(y, width, 1, init="small"))


def simple_gate(ops: Any, x: Any) -> Any:
    """One half of the channels times the other: C -> C / 2."""
    half = ops.channels(x) // 2
    return ops.multiply(ops.channel_range(x, 0, half), ops.channel_range(x, half, 2 * half))


def simple_channel_attention(ops: Any, x: Any) -> Any:
    """Every channel times a linear function of all channels' means."""
    return ops.multiply(x, ops.conv(ops.global_average(x), ops.channels(x), 1))


def added_channel_attention(ops: Any, x: Any) -> Any:
    """The input plus its simple channel attention, for use between any blocks.

    In NAFNet a residual stands around it; alone it would square the size of its input each time.
    """
    return ops.add(simple_channel_attention(ops, x), x)


FEATURES.add("naf", projected(lambda ops, x, _: naf_block(ops, x)))
ATTENTION.add("sca", added_channel_attention)

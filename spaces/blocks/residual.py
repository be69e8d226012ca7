"""Residual blocks and groups of them: H, W and channels stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.ops.protocol import Activation

from .attention import channel_attention
from .features import FEATURES, projected

Block = Callable[[Any, Any], Any]
"""(ops, x) -> y of the same shape"""


def residual_block(ops: Any, x: Any, activation: Activation = "relu") -> Any:
    """3x3, ReLU, 3x3, plus the input: EDSR, Lim et al., CVPR workshops 2017."""
    width = ops.channels(x)
    y = ops.activation(ops.conv(x, width), activation)
    return ops.add(ops.conv(y, width, init="small"), x)


def attention_block(ops: Any, x: Any, activation: Activation = "relu") -> Any:
    """A residual block with channel attention before its sum, reduction 16: RCAB of RCAN."""
    width = ops.channels(x)
    y = ops.activation(ops.conv(x, width), activation)
    y = ops.conv(y, width, init="small")
    return ops.add(channel_attention(ops, y, reduction=16), x)


def repeated(ops: Any, x: Any, block: Block, times: int) -> Any:
    """`block`, `times` over."""
    for _ in range(times):
        x = block(ops, x)
    return x


def residual_group(ops: Any, x: Any, blocks: int, block: Block = residual_block) -> Any:
    """`blocks` of `block` and a 3x3, plus the input.

    RCAN's group with `attention_block`, without its channel attention as it is. Zhang et al.,
    ECCV 2018.
    """
    y = repeated(ops, x, block, blocks)
    return ops.add(ops.conv(y, ops.channels(x), init="small"), x)


def _group(ops: Any, x: Any, activation: Activation) -> Any:
    return residual_group(ops, x, 2, lambda ops, y: residual_block(ops, y, activation))


FEATURES.add("residual", projected(residual_block))
FEATURES.add("residual_group", projected(_group))
FEATURES.add("rcab", projected(attention_block))

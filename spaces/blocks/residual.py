"""Residual blocks and groups of them: H, W and channels stay."""

from __future__ import annotations

from typing import Any

from .attention import channel_attention


def residual_block(ops: Any, x: Any) -> Any:
    """3x3, ReLU, 3x3, plus the input: EDSR, Lim et al., CVPR workshops 2017."""
    width = ops.channels(x)
    y = ops.activation(ops.conv(x, width), "relu")
    return ops.add(ops.conv(y, width, init="small"), x)


def residual_group(ops: Any, x: Any, blocks: int) -> Any:
    """`blocks` residual blocks and a 3x3, plus the input.

    RCAN's group without its channel attention. Zhang et al., ECCV 2018.
    """
    y = x
    for _ in range(blocks):
        y = residual_block(ops, y)
    return ops.add(ops.conv(y, ops.channels(x), init="small"), x)


def attention_block(ops: Any, x: Any) -> Any:
    """A residual block with channel attention before its sum, reduction 16: RCAB of RCAN."""
    width = ops.channels(x)
    y = ops.conv(ops.activation(ops.conv(x, width), "relu"), width, init="small")
    return ops.add(channel_attention(ops, y, reduction=16), x)


def attention_group(ops: Any, x: Any, blocks: int) -> Any:
    """`blocks` residual blocks with channel attention and a 3x3, plus the input: RCAN's group."""
    y = x
    for _ in range(blocks):
        y = attention_block(ops, y)
    return ops.add(ops.conv(y, ops.channels(x), init="small"), x)

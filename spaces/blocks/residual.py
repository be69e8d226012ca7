"""Residual blocks and groups of them: H, W and channels stay."""

from __future__ import annotations

from typing import Any

from .attention import channel_attention


def residual_block(ops: Any, x: Any) -> Any:
    """3x3, ReLU, 3x3, plus the input: EDSR, Lim et al., CVPR workshops 2017."""
    return ops.add(_body(ops, x), x)


def attention_residual_block(ops: Any, x: Any, *, reduction: int = 16) -> Any:
    """The same with channel attention before the sum: RCAB of RCAN, Zhang et al., ECCV 2018."""
    return ops.add(channel_attention(ops, _body(ops, x), reduction=reduction), x)


def residual_group(ops: Any, x: Any, blocks: int) -> Any:
    """`blocks` residual blocks and a 3x3, plus the input: a group of RCAN without attention."""
    y = x
    for _ in range(blocks):
        y = residual_block(ops, y)
    return ops.add(ops.conv(y, ops.channels(x)), x)


def _body(ops: Any, x: Any) -> Any:
    width = ops.channels(x)
    return ops.conv(ops.activation(ops.conv(x, width), "relu"), width)

"""Blocks that keep what they have seen at every depth: H, W and channels stay."""

from __future__ import annotations

from typing import Any

from spaces.ops.protocol import Activation

from .attention import channel_spatial_attention
from .features import FEATURES, projected


def distillation_block(ops: Any, x: Any) -> Any:
    """Keep half the channels of every step, refine all of them for the next: RFDB.

    Liu et al., "Residual Feature Distillation Network", ECCV workshops 2020, with CSANet's
    attention at the end as HITZST01 has it. Its slope is 0.05, that of `leaky_relu` here 0.2.
    """
    width = ops.channels(x)
    kept = []
    for _ in range(3):
        kept.append(ops.activation(ops.conv(x, width // 2, 1), "leaky_relu"))
        x = ops.activation(ops.add(ops.conv(x, width, init="small"), x), "leaky_relu")
    kept.append(ops.activation(ops.conv(x, width // 2), "leaky_relu"))
    return channel_spatial_attention(ops, ops.conv(ops.concat(kept), width, 1))


def dense_block(
    ops: Any,
    x: Any,
    layers: int = 3,
    growth: int | None = None,
    *,
    activation: Activation = "relu",
) -> Any:
    """Every 3x3 sees the input and all before it; a 1x1 of all of them, plus the input: RDB.

    `growth`: channels of each, half the input's without it. Zhang et al., "Residual Dense
    Network", CVPR 2018.
    """
    width = ops.channels(x)
    seen = [x]
    for _ in range(layers):
        y = ops.concat(seen) if len(seen) > 1 else x
        seen.append(ops.activation(ops.conv(y, growth or max(1, width // 2)), activation))
    return ops.add(ops.conv(ops.concat(seen), width, 1, init="small"), x)


def dense_group(ops: Any, x: Any, blocks: int, *, activation: Activation = "relu") -> Any:
    """`blocks` residual dense blocks, all their outputs mixed by a 1x1 and a 3x3, plus the input.

    The global feature fusion of the Residual Dense Network.
    """
    outputs, y = [], x
    for _ in range(blocks):
        y = dense_block(ops, y, activation=activation)
        outputs.append(y)
    mixed = ops.concat(outputs) if blocks > 1 else y
    width = ops.channels(x)
    return ops.add(ops.conv(ops.conv(mixed, width, 1), width, init="small"), x)


FEATURES.add("rfdb", projected(lambda ops, x, _: distillation_block(ops, x)))
FEATURES.add("dense", projected(lambda ops, x, kind: dense_block(ops, x, activation=kind)))
FEATURES.add("dense_group", projected(lambda ops, x, kind: dense_group(ops, x, 2, activation=kind)))

"""HITZST01, small and large: residual feature distillation with channel-spatial attention.

RFDB: Liu et al., "Residual Feature Distillation Network", ECCV workshops 2020.
Re-parameterised (ECB) convolutions of training are merged here.
"""

from functools import partial
from typing import Any

from spaces.zoo.system import ISP_INPUT, ZooSystem, register


def network(ops: Any, x: Any, *, width: int, blocks: int) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]."""
    first = x = ops.activation(ops.conv(x, width), "prelu")
    for _ in range(blocks):
        x = _distillation_block(ops, x)
    x = ops.conv(ops.add(x, first), width)
    return ops.depth_to_space(ops.conv(x, 12), 2)


def _distillation_block(ops: Any, x: Any) -> Any:
    """Keep half the channels of every step, refine all of them for the next."""
    width = ops.channels(x)
    kept = []
    for _ in range(3):
        kept.append(ops.activation(ops.conv(x, width // 2, 1), "leaky_relu"))
        x = ops.activation(ops.add(ops.conv(x, width), x), "leaky_relu")
    kept.append(ops.activation(ops.conv(x, width // 2), "leaky_relu"))
    return _channel_spatial_attention(ops, ops.conv(ops.concat(kept), width, 1))


def _channel_spatial_attention(ops: Any, x: Any) -> Any:
    width = ops.channels(x)
    gate = ops.conv(ops.global_average(x), width // 4, 1, bias=False)
    gate = ops.conv(ops.activation(gate, "relu"), width, 1, bias=False)
    by_channel = ops.multiply(x, ops.activation(gate, "sigmoid"))
    gate = ops.conv(ops.dilated_depthwise(x, 5, dilation=2), width, 1)
    by_pixel = ops.multiply(x, ops.activation(gate, "sigmoid"))
    return ops.conv(ops.concat([by_channel, by_pixel]), width, 1)


_NOTE = (
    "Blocks as in the report and the papers it names; {width} features assumed so that the "
    "file size fits, and a slope of 0.2 where the paper's leaky ReLU has 0.05."
)

register(
    ZooSystem(
        name="hitzst01_small",
        task="isp",
        title="HITZST01, small: RFD-CSA",
        published_team="HITZST01 (small)",
        input_shape=ISP_INPUT,
        network=partial(network, width=10, blocks=2),
        confidence="medium",
        note=_NOTE.format(width=10),
        parameters=10_742,
    )
)
register(
    ZooSystem(
        name="hitzst01_large",
        task="isp",
        title="HITZST01, large: RFD-CSA",
        published_team="HITZST01 (large)",
        input_shape=ISP_INPUT,
        network=partial(network, width=48, blocks=3),
        confidence="medium",
        note=_NOTE.format(width=48),
        parameters=298_812,
    )
)

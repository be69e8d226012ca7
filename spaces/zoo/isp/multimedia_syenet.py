"""Multimedia: SYENet, whose branches of training merge into single convolutions.

Gou et al., "SYENet", ICCV 2023. Only the merged inference graph is here.
"""

from typing import Any

from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_WIDTH = 12


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]."""
    # The exported file has the short branch first, so the long one absorbs the product.
    plain = ops.conv(x, _WIDTH, 5)
    x = _quadratic(ops, _head_branch(ops, x), plain)
    x = _quadratic(ops, ops.conv(x, _WIDTH, 3), ops.conv(x, _WIDTH, 1))
    x = _channel_attention(ops, x)
    return ops.conv(ops.depth_to_space(x, 2), 3, 3)


def _head_branch(ops: Any, x: Any) -> Any:
    x = ops.activation(ops.conv(x, _WIDTH, 5), "prelu")
    return ops.conv(x, _WIDTH, 3)


def _quadratic(ops: Any, first: Any, second: Any) -> Any:
    """The quadratic connection unit: product of two branches and a bias."""
    return ops.channel_bias(ops.multiply(first, second))


def _channel_attention(ops: Any, x: Any) -> Any:
    gate = ops.activation(ops.conv(ops.global_average(x), _WIDTH, 1), "prelu")
    gate = ops.activation(ops.conv(gate, _WIDTH, 1), "sigmoid")
    return ops.multiply(x, gate)


register(
    ZooSystem(
        name="multimedia_syenet",
        task="isp",
        title="Multimedia: SYENet, merged",
        published_team="Multimedia",
        input_shape=ISP_INPUT,
        network=network,
        confidence="exact",
        note="Inference graph of the authors' public code; its size is the published one.",
        parameters=5_640,
    )
)

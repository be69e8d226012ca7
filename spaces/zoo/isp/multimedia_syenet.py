"""Multimedia: SYENet, whose branches of training merge into single convolutions.

Gou et al., "SYENet", ICCV 2023. Trained with 101,799 parameters, of which 5,640 remain when merged.
"""

from typing import Any

from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_WIDTH = 12


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]."""
    # The exported file has the short branch first, so the long one absorbs the product.
    plain = _conv(ops, x, 5)
    x = _quadratic(ops, _head_branch(ops, x), plain)
    x = _quadratic(ops, _conv(ops, x, 3), _conv(ops, x, 1))
    x = _channel_attention(ops, ops.tap(x, "body"))
    return ops.conv(ops.depth_to_space(x, 2), 3, branches="erep")


def _conv(ops: Any, x: Any, kernel: int) -> Any:
    return ops.conv(x, _WIDTH, kernel, branches="erep")


def _head_branch(ops: Any, x: Any) -> Any:
    return _conv(ops, ops.activation(_conv(ops, x, 5), "prelu"), 3)


def _quadratic(ops: Any, first: Any, second: Any) -> Any:
    """The quadratic connection unit: product of two branches and a bias."""
    return ops.channel_bias(ops.multiply(first, second))


def _channel_attention(ops: Any, x: Any) -> Any:
    gate = ops.activation(_conv(ops, ops.global_average(x), 1), "prelu")
    gate = ops.activation(_conv(ops, gate, 1), "sigmoid")
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
        note="The authors' public code, every convolution trained as eRepConv; the merged file "
        "has the published size.",
        parameters=5_640,
        training="10 epochs of warm-up behind masks with a second head for RAW, then 350 with "
        "the outlier-aware and cosine losses, batch 4, Adam at 1e-3 with warm "
        "restarts.",
        recipe={
            "schedule": "restarts",
            "batch": 4,
            "stages": (
                {
                    "share": 0.03,
                    "loss": {"charbonnier": 1.0, "cosine": 1.0},
                    "masked": 0.5,
                    "learning_rate_factor": 0.1,
                },
                {"share": 0.97, "loss": {"outlier_aware": 1.0, "cosine": 1.0}},
            ),
        },
    )
)

"""ENERZAi track 2: the search of track 1 without its latency penalty."""

from typing import Any

from spaces.blocks.attention import channel_attention
from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_WIDTHS = (64, 128, 160)


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 4."""
    x = ops.activation(ops.conv(x, _WIDTHS[0]), "relu")
    levels = [_attended(ops, x, _WIDTHS[0])]
    for width in _WIDTHS[1:]:
        x = ops.activation(ops.conv(levels[-1], width, stride=2), "relu")
        levels.append(_attended(ops, x, width))
    x = levels.pop()
    for width, skip in zip(_WIDTHS[-2::-1], reversed(levels), strict=True):
        x = ops.concat([ops.transposed_conv(x, width), skip])
        x = _attended(ops, x, width)
    return ops.depth_to_space(ops.conv(x, 12), 2)


def _attended(ops: Any, x: Any, width: int) -> Any:
    return channel_attention(ops, ops.activation(ops.conv(x, width), "relu"))


register(
    ZooSystem(
        name="enerzai_track2",
        task="isp",
        title="ENERZAi, track 2: searched without a latency penalty",
        published_team="ENERZAi (track 2)",
        input_shape=ISP_INPUT,
        network=network,
        confidence="low",
        note="Family as in the report; three levels of 64, 128 and 160 channels assumed so "
        "that the file size fits.",
        parameters=1_200_372,
        training="L1, MS-SSIM, ResNet-50 features and histogram, Adam at 1e-3 halved every "
        "several epochs; the weights of the losses are assumed.",
        recipe={
            "loss": {"l1": 1.0, "ms_ssim": 0.2, "resnet50": 0.01, "histogram": 0.01},
            "schedule": "steps",
        },
    )
)

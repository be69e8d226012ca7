"""ENERZAi's bokeh entry: a UNet of convolutions and transposed convolutions."""

from typing import Any

from spaces.zoo.system import BOKEH_INPUT, ZooSystem, register

_WIDTHS = (32, 64, 128, 256, 512)


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 3] -> [1, H, W, 3]; H and W are multiples of 32."""
    x = _conv(ops, x, _WIDTHS[0], stride=2)
    levels = [_conv(ops, x, _WIDTHS[0])]
    for width in _WIDTHS[1:]:
        x = _conv(ops, levels[-1], width, stride=2)
        levels.append(_conv(ops, x, width))
    x = levels.pop()
    for width, skip in zip(_WIDTHS[-2::-1], reversed(levels), strict=True):
        up = ops.activation(ops.transposed_conv(x, width, 3), "leaky_relu")
        x = _conv(ops, ops.concat([up, skip]), width)
    return ops.depth_to_space(ops.conv(x, 12), 2)


def _conv(ops: Any, x: Any, width: int, stride: int = 1) -> Any:
    return ops.activation(ops.conv(x, width, stride=stride), "leaky_relu")


register(
    ZooSystem(
        name="enerzai_bokeh",
        task="bokeh",
        title="ENERZAi: UNet",
        published_team="ENERZAi",
        input_shape=BOKEH_INPUT,
        network=network,
        confidence="medium",
        note="Blocks as in the report; five levels from 32 to 512 channels assumed so that the "
        "file size fits.",
        parameters=7_850_092,
        training="L1, MS-SSIM, ResNet-50 features and histogram, batch 1, Adam at 1e-3 halved "
        "every 4 epochs; the weights of the losses are assumed.",
        recipe={
            "loss": {"l1": 1.0, "ms_ssim": 0.2, "resnet50": 0.01, "histogram": 0.01},
            "schedule": "steps",
            "batch": 1,
        },
    )
)

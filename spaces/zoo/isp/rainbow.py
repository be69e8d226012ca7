"""rainbow: AWBUnet, a small UNet whose bottleneck also sets three colour gains."""

from typing import Any

from spaces.blocks.colour import colour_gains
from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_WIDTHS = (6, 12, 24, 48)


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 16."""
    skips = []
    for width in _WIDTHS:
        x = _twice(ops, x, width)
        skips.append(x)
        x = ops.max_pool(x)
    x = _twice(ops, x, 2 * _WIDTHS[-1])
    gains = colour_gains(ops, x)
    for width, skip in zip(reversed(_WIDTHS), reversed(skips), strict=True):
        x = _twice(ops, ops.concat([ops.transposed_conv(x, width), skip]), width)
    return ops.multiply(ops.depth_to_space(ops.conv(x, 12), 2), gains)


def _twice(ops: Any, x: Any, width: int) -> Any:
    for _ in range(2):
        x = ops.activation(ops.conv(x, width), "relu")
    return x


register(
    ZooSystem(
        name="rainbow",
        task="isp",
        title="rainbow: AWBUnet",
        published_team="rainbow",
        input_shape=ISP_INPUT,
        network=network,
        confidence="low",
        note="UNet with a gain module as in the report; five levels from 6 channels assumed so "
        "that the file size fits, and a sigmoid on the gains.",
        parameters=276_057,
        training="MSE, batch 256, horizontal flips, Adam at 2e-4 halved every 100 K steps.",
        recipe={"loss": "mse", "schedule": "steps"},
    )
)

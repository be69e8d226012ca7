"""MiAIgo: an encoder-decoder whose output is added to the photograph."""

from typing import Any

from spaces.zoo.system import BOKEH_INPUT, ZooSystem, register

_ENCODER = (24, 40, 56, 48)
_DECODER = (56, 40, 24)


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 3] -> [1, H, W, 3]; H and W are multiples of 16."""
    image = x
    levels = []
    for width in _ENCODER:
        x = _block(ops, x, width, stride=2)
        levels.append(x)
    levels.pop()
    for width, skip in zip(_DECODER, reversed(levels), strict=True):
        x = _block(ops, ops.concat([ops.resize(x, 2, "bilinear"), skip]), width)
    x = ops.activation(ops.conv(ops.resize(x, 2, "bilinear"), 3, init="small"), "tanh")
    return ops.add(x, image)


def _block(ops: Any, x: Any, width: int, stride: int = 1) -> Any:
    """Three convolutions and one skip."""
    first = ops.activation(ops.conv(x, width, stride=stride), "relu")
    x = ops.activation(ops.conv(first, width), "relu")
    return ops.add(ops.activation(ops.conv(x, width, init="small"), "relu"), first)


register(
    ZooSystem(
        name="miaigo",
        task="bokeh",
        title="MiAIgo: residual encoder-decoder",
        published_team="MiAIgo",
        input_shape=BOKEH_INPUT,
        network=network,
        confidence="low",
        note="Seven blocks of three convolutions as in the report; widths assumed so that the "
        "file size fits.",
        parameters=388_659,
        training="L1, L2 and SSIM (its weight assumed), batch 8, Adam at 5e-5.",
        recipe={"loss": {"l1": 1.0, "mse": 1.0, "ssim": 0.1}},
    )
)

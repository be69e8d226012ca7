"""Antins_cv: a tiny UNet, the winner of the bokeh challenge's score."""

from typing import Any

from spaces.zoo.system import BOKEH_INPUT, ZooSystem, register

_WIDTHS = (8, 12, 16)


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 3] -> [1, H, W, 3]; H and W are multiples of 8."""
    levels = []
    for width in _WIDTHS:
        x = ops.activation(ops.conv(x, width, stride=2), "relu")
        levels.append(x)
    x = levels.pop()
    for width, skip in zip(_WIDTHS[-2::-1], reversed(levels), strict=True):
        x = ops.depth_to_space(ops.activation(ops.conv(x, 4 * width), "relu"), 2)
        x = ops.add(x, skip)
    return ops.depth_to_space(ops.conv(x, 12), 2)


register(
    ZooSystem(
        name="antins_cv",
        task="bokeh",
        title="Antins_cv: tiny UNet",
        published_team="Antins_cv",
        input_shape=BOKEH_INPUT,
        network=network,
        confidence="medium",
        note="Three levels and sub-pixel up-sampling as in the report; widths of 8, 12 and 16 "
        "assumed so that the file size fits. The real network is probably heavier.",
        parameters=14_168,
        training="PSNR loss on whole images, batch 32, 600 epochs, Adam at 1e-3 halved every 120.",
        recipe={"loss": "psnr", "schedule": "steps"},
    )
)

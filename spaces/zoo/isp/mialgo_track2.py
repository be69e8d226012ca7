"""MiAlgo track 2: a UNet of residual groups (RCAN without its channel attention).

RCAN: Zhang et al., ECCV 2018.
"""

from typing import Any

from spaces.blocks.residual import residual_group
from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_WIDTHS = (32, 64, 128, 256)
_BLOCKS = 15


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 8."""
    levels = [residual_group(ops, ops.conv(x, _WIDTHS[0]), _BLOCKS)]
    for width in _WIDTHS[1:]:
        x = ops.conv(ops.average_pool(levels[-1]), width)
        levels.append(residual_group(ops, x, _BLOCKS))
    x = levels.pop()
    for width, skip in zip(_WIDTHS[-2::-1], reversed(levels), strict=True):
        x = ops.concat([ops.transposed_conv(x, width), skip])
        x = residual_group(ops, ops.conv(x, width), _BLOCKS)
    return ops.depth_to_space(ops.conv(x, 12), 2)


register(
    ZooSystem(
        name="mialgo_track2",
        task="isp",
        title="MiAlgo, track 2: UNet of residual groups",
        published_team="MiAlgo (track 2)",
        input_shape=ISP_INPUT,
        network=network,
        confidence="medium",
        note="Levels, widths and blocks as in the report; 15 residual blocks a group assumed so "
        "that the file size fits.",
        parameters=31_257_324,
        training="2 K epochs of L1, then 2 K of L1 and VGG (its weight assumed), Adam at 1e-4.",
        recipe={"stages": ({"loss": "l1"}, {"loss": {"l1": 1.0, "vgg19": 1e-4}})},
    )
)

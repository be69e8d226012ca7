"""HITZST01, small and large: residual feature distillation with channel-spatial attention.

Zheng et al., "RFDCSANet", ECCV workshops 2022.
"""

from functools import partial
from typing import Any

from spaces.blocks.distillation import distillation_block
from spaces.blocks.residual import repeated
from spaces.zoo.system import ISP_INPUT, ZooSystem, register


def network(ops: Any, x: Any, *, width: int, blocks: int) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]."""
    first = ops.activation(ops.conv(x, width, branches="ecb"), "prelu")
    x = repeated(ops, first, distillation_block, blocks)
    x = ops.conv(ops.add(x, first), width, branches="ecb")
    return ops.depth_to_space(ops.conv(x, 12, branches="ecb"), 2)


_NOTE = (
    "Blocks as in the report and the papers it names; {width} features assumed so that the "
    "file size fits, and a slope of 0.2 where the paper's leaky ReLU has 0.05."
)

_TRAINING = (
    "Charbonnier and SSIM (its weight assumed), Adam at 1e-4 halved every 200 epochs; "
    "the convolutions before and behind the blocks are trained as ECB."
)
_RECIPE = {"loss": {"charbonnier": 1.0, "ssim": 0.1}, "schedule": "steps"}

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
        training=_TRAINING,
        recipe=_RECIPE,
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
        training=_TRAINING,
        recipe=_RECIPE,
    )
)

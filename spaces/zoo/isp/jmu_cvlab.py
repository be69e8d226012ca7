"""JMU-CVLab (LPIENet): a small network, then gamma, a tone curve and CBAM at full resolution.

CBAM: Woo et al., ECCV 2018.
"""

from typing import Any

from spaces.blocks.attention import cbam
from spaces.blocks.colour import gamma, tone_curve
from spaces.zoo.system import ISP_INPUT, ZooSystem, register


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]."""
    x = ops.scale(x, 1 / 4096)
    # The released file indexes the Bayer channels one by one, which the delegate refuses.
    x = ops.stack([ops.channel(x, index) for index in range(4)])
    x = ops.activation(ops.conv(x, 16), "tanh")
    x = ops.activation(ops.conv(x, 16), "relu")
    x = ops.activation(ops.conv(x, 12), "relu")
    x = tone_curve(ops, gamma(ops, ops.depth_to_space(x, 2)))
    y = ops.activation(ops.conv(x, 32), "relu")
    y = cbam(ops, y, reduction=8)
    return ops.add(ops.activation(ops.conv(y, 3), "tanh"), x)


register(
    ZooSystem(
        name="jmu_cvlab",
        task="isp",
        title="JMU-CVLab: LPIENet",
        published_team="JMU-CVLab",
        input_shape=ISP_INPUT,
        network=network,
        confidence="high",
        note="The team's released file, with 1x1 convolutions for its fully connected layers, "
        "the attention's two perceptrons unshared (292 parameters more) and no final clip.",
        parameters=7_097,
        training="L1 and SSIM (its weight assumed), 60 epochs, batch 32, Adam at 1e-4, flips "
        "and rotations.",
        recipe={"loss": {"l1": 1.0, "ssim": 0.1}},
    )
)

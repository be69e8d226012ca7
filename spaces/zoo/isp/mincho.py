"""MINCHO: depthwise-separable features before the three convolutions of Smallnet."""

from typing import Any

from spaces.zoo.system import ISP_INPUT, ZooSystem, register


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]."""
    first = x = ops.activation(ops.conv(x, 32), "relu")
    for _ in range(4):
        x = ops.activation(ops.conv(ops.depthwise(x), 32, 1), "relu")
    x = ops.add(x, first)
    x = ops.activation(ops.conv(x, 16), "tanh")
    x = ops.activation(ops.conv(x, 16), "relu")
    return ops.depth_to_space(ops.conv(x, 12), 2)


register(
    ZooSystem(
        name="mincho",
        task="isp",
        title="MINCHO: separable features and Smallnet",
        published_team="MINCHO",
        input_shape=ISP_INPUT,
        network=network,
        confidence="medium",
        note="Two parts as in the report; 32 features and four separable blocks assumed so "
        "that the file size fits.",
        parameters=15_372,
        training="L1, then L2, VGG-19 and SSIM (weights assumed), batch 32, Adam at 1e-4.",
        recipe={"stages": ({"loss": "l1"}, {"loss": {"mse": 1.0, "ssim": 0.1, "vgg19": 1e-4}})},
    )
)

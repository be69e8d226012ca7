"""PyNET-V2 Mobile: three levels of grouped residual blocks with attention.

Ignatov et al., "PyNET-V2 Mobile: Efficient On-Device Photo Processing With
Neural Networks", ICPR 2022.
"""

from typing import Any

from spaces.ops.protocol import Init
from spaces.zoo.system import ISP_INPUT, ZooSystem, register


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 4 and at least 28."""
    level_1 = _conv(ops, x, 32)
    level_2 = _down(ops, level_1, 64)
    x = _residual_groups(ops, _down(ops, level_2, 128), groups=4, convs=2)
    x = ops.add(_spatial_attention(ops, x), x)
    x = ops.tap(ops.add(_channel_attention(ops, x), x), "level_3")

    x = _merge(ops, x, level_2, 64)
    x = _residual_groups(ops, x, groups=2, convs=3)
    x = ops.tap(ops.add(_channel_attention(ops, x), x), "level_2")

    x = _merge(ops, x, level_1, 32)
    x = _residual_groups(ops, x, groups=4, convs=1)
    x = _residual_groups(ops, x, groups=2, convs=1)
    x = ops.depth_to_space(_conv(ops, x, 16, 1), 2)
    x = ops.activation(_reflected(ops, x, 3), "tanh")
    return ops.shift(ops.scale(x, 0.58), 0.5)


def _reflected(ops: Any, x: Any, width: int, init: Init = "default") -> Any:
    """3x3 convolution over mirrored borders."""
    return ops.conv(ops.reflect_pad(x, 1), width, 3, padding="valid", init=init)


def _conv(ops: Any, x: Any, width: int, kernel: int = 3) -> Any:
    y = _reflected(ops, x, width) if kernel == 3 else ops.conv(x, width, kernel)
    return ops.activation(y, "prelu")


def _down(ops: Any, x: Any, width: int) -> Any:
    return ops.activation(ops.conv(x, width, 2, stride=2, padding="valid"), "prelu")


def _merge(ops: Any, x: Any, skip: Any, width: int) -> Any:
    """Up-sampled features plus the convolved skip, then a residual 1x1 convolution."""
    # The skip first, as in the exported file: the delegate fuses the sum into what comes last.
    skip = _conv(ops, skip, width)
    x = ops.add(skip, _conv(ops, ops.resize(x, 2, "bilinear"), width))
    return ops.add(_conv(ops, x, width, 1), x)


def _residual_groups(ops: Any, x: Any, *, groups: int, convs: int) -> Any:
    """Channel groups on their own, every other one normalised, then a 1x1 convolution."""
    width = ops.channels(x)
    step = width // groups
    parts = [ops.channel_range(x, step * i, step * (i + 1)) for i in range(groups)]
    parts = [_group(ops, part, convs, normalised=i % 2 == 0) for i, part in enumerate(parts)]
    return ops.add(ops.conv(ops.concat(parts), width, 1, init="small"), x)


def _group(ops: Any, x: Any, convs: int, *, normalised: bool) -> Any:
    for _ in range(convs):
        y = _reflected(ops, x, ops.channels(x), "small")
        if normalised:
            y = ops.instance_norm(y)
        x = ops.add(ops.activation(y, "prelu"), x)
    return x


def _spatial_attention(ops: Any, x: Any) -> Any:
    x = _conv(ops, x, ops.channels(x))
    gate = ops.dilated_depthwise(ops.reflect_pad(x, 2), 5, padding="valid")
    return ops.multiply(ops.activation(gate, "sigmoid"), x)


def _channel_attention(ops: Any, x: Any) -> Any:
    width = ops.channels(x)
    x = _conv(ops, x, width)
    gate = x
    for kernel in (1, 3):
        gate = ops.conv(gate, width, kernel, stride=3, padding="valid")
        gate = ops.activation(gate, "prelu")
    gate = _conv(ops, ops.global_average(gate), width, 1)
    gate = ops.activation(ops.conv(gate, width, 1), "sigmoid")
    return ops.multiply(x, gate)


register(
    ZooSystem(
        name="pynet_v2_mobile",
        task="isp",
        title="PyNET-V2 Mobile (baseline)",
        published_team="PyNET-V2 Mobile",
        input_shape=ISP_INPUT,
        network=network,
        confidence="exact",
        note="Public code of the authors, output of the finest level.",
        parameters=930_255,
        training="Level by level from the coarsest, each with VGG and SSIM, then MSE and SSIM; "
        "Adam at 1e-4, 5e-5 on finer levels.",
        recipe={
            # The coarsest level is an eighth of the crop, and SSIM's window has 11 pixels.
            "crop": 128,
            "stages": (
                {"level": "level_3", "loss": {"ssim": 5.0, "vgg19": 1e-4}},
                {"level": "level_3", "loss": {"mse": 20.0, "ssim": 1.0}},
                {"level": "level_2", "loss": {"ssim": 5.0, "vgg19": 1e-4}},
                {"level": "level_2", "loss": {"mse": 20.0, "ssim": 1.0}},
                {"share": 2.0, "loss": {"ssim": 5.0, "vgg19": 1e-4}},
                {"share": 4.0, "loss": {"mse": 20.0, "ssim": 1.0}},
            ),
        },
    )
)

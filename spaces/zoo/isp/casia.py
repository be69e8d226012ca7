"""CASIA 1st: PUNET with three kinds of attention side by side, the student of a larger network.

PUNET: MediaTek's baseline of the Mobile AI 2021 challenge, from PyNET.
"""

from collections.abc import Callable
from typing import Any

from spaces.blocks.attention import cbam, channel_attention, efficient_channel_attention
from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_BASE = 48


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 16."""
    return punet(ops, x, attention=_three_attentions)


def punet(ops: Any, x: Any, *, attention: Callable[[Any, Any], Any]) -> Any:
    """The UNet of teacher and student, `attention(ops, x)` behind levels 2 to 5.

    Taps: `level_2` to `level_5` of the encoder, `decoded_4` to `decoded_2` of the decoder.
    """
    skips = [_block(ops, x, _BASE)]
    for level in (1, 2, 3):
        y = _block(ops, ops.max_pool(skips[-1]), _BASE << level)
        skips.append(ops.tap(attention(ops, y), f"level_{level + 1}"))
    x = ops.max_pool(skips[-1])
    for _ in range(4):
        x = _block(ops, x, _BASE << 4)
    x = ops.tap(attention(ops, x), "level_5")
    for level in (3, 2):
        x = _block(ops, _joined(ops, x, skips[level]), _BASE << level)
        x = ops.tap(x, f"decoded_{level + 1}")
    x = _block(ops, _joined(ops, x, skips[1]), 2 * _BASE)
    x = ops.tap(ops.add(_block(ops, x, 2 * _BASE), x), "decoded_2")
    x = _joined(ops, x, skips[0])
    x = ops.add(_block(ops, x, _BASE), _block(ops, x, _BASE))
    x = ops.activation(ops.conv(_up(ops, x, _BASE // 4), 3), "tanh")
    return ops.shift(ops.scale(x, 0.58), 0.5)


def _block(ops: Any, x: Any, width: int) -> Any:
    for _ in range(2):
        x = ops.activation(ops.conv(x, width), "leaky_relu")
    return x


def _up(ops: Any, x: Any, width: int) -> Any:
    return ops.activation(ops.transposed_conv(x, width, 3), "leaky_relu")


def _joined(ops: Any, x: Any, skip: Any) -> Any:
    return ops.concat([skip, _up(ops, x, ops.channels(skip))])


def _three_attentions(ops: Any, x: Any) -> Any:
    """CBAM, ECA and squeeze-excitation of one input, mixed by a 1x1."""
    mean = ops.global_average(x)
    branches = [
        cbam(ops, x, reduction=8, mean=mean),
        efficient_channel_attention(ops, x, mean=mean),
        channel_attention(ops, x, reduction=8, mean=mean),
    ]
    return ops.conv(ops.concat(branches), ops.channels(x), 1)


register(
    ZooSystem(
        name="casia",
        task="isp",
        title="CASIA 1st: AA-Unet, the student",
        published_team="CASIA 1st",
        input_shape=ISP_INPUT,
        network=network,
        confidence="low",
        note="PUNET three times as wide, so that the file size fits; attention after the blocks of "
        "levels 2 to 5, its mixing and the residual sums are assumed. The two perceptrons of CBAM "
        "have weights of their own here.",
        parameters=54_449_075,
        training="L1 to the teacher's features (of encoder and decoder: assumed), with MSE, SSIM "
        "and VGG (weights assumed), batch 12, here 4, Adam at 5e-5, weight decay 5e-5.",
        recipe={
            "loss": {"mse": 1.0, "ssim": 0.1, "vgg19": 1e-4},
            "batch": 4,
            "crop": 128,
            "weight_decay": 5e-5,
            "teacher": {"system": "casia_teacher", "output": 0.0, "features": 1.0},
        },
    )
)

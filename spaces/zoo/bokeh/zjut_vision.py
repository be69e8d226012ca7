"""ZJUT-Vision: two V-shaped networks in a row, the second with attention.

From BGGAN, Qian et al., ECCV workshops 2020; CBAM's parts: Woo et al., ECCV 2018.
Neither its CPU nor its GPU run worked on the challenge's phone.
"""

from typing import Any

from spaces.blocks.attention import channel_attention, spatial_attention
from spaces.zoo.system import BOKEH_INPUT, ZooSystem, register

_BLOCKS = 9


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 3] in [-1, 1] -> [1, H, W, 3]; H and W are multiples of 8."""
    first = _first(ops, x)
    return _second(ops, ops.concat([first, ops.subtract(x, first)]))


def _first(ops: Any, x: Any) -> Any:
    levels = [_conv(ops, x, 16, 7)]
    for width in (32, 64, 128):
        levels.append(_conv(ops, levels[-1], width, stride=2))
    x = levels[-1]
    for _ in range(_BLOCKS):
        x = _residual(ops, x, 128)
    for width in (64, 32, 16):
        x = _up(ops, ops.concat([x, levels.pop()]), width)
    return ops.activation(ops.conv(x, 3, 7, bias=False), "tanh")


def _second(ops: Any, x: Any) -> Any:
    x = _conv(ops, x, 32, 9)
    x = spatial_attention(ops, _conv(ops, x, 64, 5))
    x = spatial_attention(ops, _conv(ops, x, 128, stride=2))
    shallow = x = spatial_attention(ops, _conv(ops, x, 128, stride=2))
    level_5 = x = _residual(ops, x, 128)
    x = _residual(ops, x, 256)
    level_6 = x = _channel_attention(ops, x)
    x = _residual(ops, x, 256)
    level_7 = x = _channel_attention(ops, x)
    x = _channel_attention(ops, _conv(ops, x, 512))
    x = _residual(ops, ops.concat([_conv(ops, x, 256), level_7]), 256)
    x = _residual(ops, ops.concat([x, level_6]), 256)
    x = _residual(ops, ops.concat([x, level_5, shallow]), 128)
    x = _up(ops, _up(ops, x, 128), 64)
    x = _conv(ops, _up(ops, x, 64, stride=1), 32, 5)
    return ops.conv(x, 3, 9, bias=False)


def _conv(ops: Any, x: Any, width: int, kernel: int = 3, *, stride: int = 1) -> Any:
    return ops.activation(ops.conv(x, width, kernel, stride=stride, bias=False), "relu")


def _channel_attention(ops: Any, x: Any) -> Any:
    return channel_attention(ops, x, reduction=8, bias=False)


def _up(ops: Any, x: Any, width: int, *, stride: int = 2) -> Any:
    return ops.activation(ops.transposed_conv(x, width, 4, stride=stride), "relu")


def _residual(ops: Any, x: Any, width: int) -> Any:
    """Two normalised 3x3; where the width changes, a 1x1 beside them."""
    y = ops.instance_norm(ops.conv(x, width, bias=False), affine=False)
    y = ops.instance_norm(ops.conv(ops.activation(y, "relu"), width, bias=False), affine=False)
    if ops.channels(x) != width:
        x = ops.conv(x, width, 1, bias=False)
    return ops.activation(ops.add(x, y), "relu")


register(
    ZooSystem(
        name="zjut_vision",
        task="bokeh",
        title="ZJUT-Vision: attention-based double V-Net",
        published_team="ZJUT-Vision",
        input_shape=BOKEH_INPUT,
        network=network,
        confidence="high",
        note="Layers and widths of the team's public code; large kernels (7, 9 and 5) and what is "
        "joined in the second decoder recovered from its parameters and multiplications. "
        "Dropout of training left out. The published 13 MB are its weights in 8 bits. Failed on "
        "the phone's CPU and GPU; today's converter fuses ReLU into its transposed convolutions, "
        "which the GPU delegate refuses.",
        parameters=13_359_638,
        training="L1, VGG, SSIM and two patch discriminators (WGAN-GP), 60 epochs, Adam at 1e-5.",
        recipe={
            "loss": {"l1": 0.5, "ssim": 0.05, "vgg19": 1e-5},
            "adversarial": {"weight": 1.0, "depths": (3, 5)},
        },
    )
)

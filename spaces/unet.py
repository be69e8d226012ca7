"""The UNet / Hourglass / channel-attention network behind `unet_isp` and `unet_bokeh`.

This is the family that the ENERZAi entries of the Mobile AI 2022 challenges
searched (learned smartphone ISP report, section on ENERZAi). With zero levels it
is a plain stack of convolutions, which holds MiAlgo's 3-convolution network.

    input -> [space_to_depth] -> stem -> stacks x (encoder, decoder) -> head -> depth_to_space
        \\------------------------- global path -------------------------/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .blocks.attention import channel_attention
from .blocks.convs import CONVS
from .blocks.down import DOWN
from .blocks.skip import SKIP
from .blocks.up import UP

Choices = Mapping[str, Any]

HEAD = "head"
"""Name of the last convolution over features; training solves it in closed form."""
GLOBAL_PATH = "global_path"
"""Name of the linear convolution from the input, solved together with the head."""


def reduction(choices: Choices) -> int:
    """Input pixels a side per pixel of level 0: packing times the stem's stride."""
    return int(choices["packing"]) * (2 if choices.get("stem") == "strided3" else 1)


def unet(ops: Any, x: Any, choices: Choices, *, out_channels: int, scale: int) -> Any:
    """Build the network of `choices` on `x` [1, H, W, C] -> [1, scale*H, scale*W, out_channels]."""
    shrink = reduction(choices)
    block = scale * shrink
    path = None
    if choices["global_path"] == "linear":
        # First, so that the head is written last and the delegate fuses the sum into it.
        # The kernel covers one input pixel around each output block, whatever the reduction.
        kernel, channels = shrink + 2, out_channels * block**2
        path = ops.conv(x, channels, kernel, stride=shrink, init="zeros", name=GLOBAL_PATH)
    features = _body(ops, _stem(ops, x, choices), choices)
    head_kernel = 1 if choices["head"] == "conv1" else 3
    y = ops.conv(features, out_channels * block**2, head_kernel, name=HEAD)
    if path is not None:
        y = ops.add(y, path)
    if block > 1:
        y = ops.depth_to_space(y, block)
    if choices["global_path"] == "residual":
        y = ops.add(y, x)
    if choices["head"] == "refine3":
        y = ops.conv(y, out_channels, 3, init="identity")
    return y


def _stem(ops: Any, x: Any, choices: Choices) -> Any:
    if choices["packing"] > 1:
        x = ops.space_to_depth(x, choices["packing"])
    stem = choices["stem"] if "stem" in choices else choices["stem_packed"]
    activation = choices["stem_activation"]
    if activation == "same":
        activation = choices["activation"]
    return CONVS[stem](ops, x, choices["width_0"], activation)


def _body(ops: Any, x: Any, choices: Choices) -> Any:
    """One plain level, or one or more hourglasses with a residual around each but the first."""
    if choices["levels"] == 0:
        return _level(ops, x, choices, 0)
    x = _hourglass(ops, x, choices)
    for _ in range(choices["stacks"] - 1):
        x = ops.add(_hourglass(ops, x, choices), x)
    return x


def _hourglass(ops: Any, x: Any, choices: Choices) -> Any:
    levels = choices["levels"]
    encoded = [_level(ops, x, choices, 0)]
    for level in range(1, levels + 1):
        down = DOWN[choices["down"]]
        x = down(ops, encoded[-1], choices[f"width_{level}"], choices["activation"])
        encoded.append(_level(ops, x, choices, level))
    x = encoded[-1]
    for level in reversed(range(levels)):
        x = UP[choices["up"]](ops, x, choices[f"width_{level}"])
        x = SKIP[choices["skip"]](ops, x, encoded[level])
        x = _level(ops, x, choices, level)
    return x


def _level(ops: Any, x: Any, choices: Choices, level: int) -> Any:
    block = CONVS[choices["conv"]]
    for _ in range(choices[f"convs_{level}"]):
        x = block(ops, x, choices[f"width_{level}"], choices["activation"])
    return channel_attention(ops, x) if choices[f"attention_{level}"] else x

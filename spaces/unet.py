"""The UNet / Hourglass network behind the search spaces, its parts chosen by name.

Of plain convolutions with channel attention it is the family that the ENERZAi entries of the
Mobile AI 2022 challenges searched (learned smartphone ISP report, section on ENERZAi). With zero
levels it is a plain stack of blocks, which holds MiAlgo's 3-convolution network.

    input -> [filters] -> [space_to_depth] -> stem -> stacks x (encoder, decoder)
        \\                                                 -> head -> depth_to_space -> [finish]
         \\------------------ global path -------------------/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .blocks.attention import ATTENTION
from .blocks.colour import TONE, colour_gains
from .blocks.down import DOWN
from .blocks.features import FEATURES
from .blocks.filters import FILTERS, with_filtered
from .blocks.skip import SKIP
from .blocks.up import UP

Choices = Mapping[str, Any]

UNET_SPACES = ("unet_isp", "unet_bokeh", "blocks_isp", "blocks_bokeh")
"""The spaces of this network: their architectures have a label and a drawing of their own."""

HEAD = "head"
"""Name of the last convolution over features; training solves it in closed form."""
GAINS = "gains"
"""Tap of the factors [B, 1, 1, C] of the image that the head writes, where there are any."""
GLOBAL_PATH = "global_path"
"""Name of the linear convolution from the input, solved together with the head."""


@dataclass(frozen=True)
class Level:
    """One level: `count` blocks named `block`, then the attention named so, or "none"."""

    width: int
    block: str
    count: int
    attention: str


def level_of(choices: Choices, level: int) -> Level:
    """What `choices` say about a level.

    The `unet_*` spaces name one convolution for all levels and say where channel attention is.
    """
    width, attention = choices[f"width_{level}"], choices[f"attention_{level}"]
    if "conv" in choices:
        attention = "channel" if attention else "none"
        return Level(width, choices["conv"], choices[f"convs_{level}"], attention)
    block = choices["block_deep" if level else "block_0"]
    return Level(width, block, choices[f"blocks_{level}"], attention)


def reduction(choices: Choices) -> int:
    """Input pixels a side per pixel of level 0: packing times the stem's stride."""
    return int(choices["packing"]) * (2 if choices.get("stem") == "strided3" else 1)


def family(block: str) -> str:
    """What blocks have in common that differ in the size of their kernels alone: conv3, conv5."""
    return block.rstrip("0123456789")


def filters_of(choices: Choices) -> str:
    """The fixed filters beside the input, or "none"."""
    return str(choices.get("filters", "none"))


def tone_of(choices: Choices) -> str:
    """What is done to the image's values in the end, or "none"."""
    return str(choices.get("tone", "none"))


def finish_of(choices: Choices) -> list[str]:
    """What is done to the image in the end: "gains" and a tone operation, either, or nothing."""
    finish = ["gains"] if choices.get("gains") else []
    tone = tone_of(choices)
    return finish if tone == "none" else [*finish, tone]


def unet(ops: Any, x: Any, choices: Choices, *, out_channels: int, scale: int) -> Any:
    """Build the network of `choices` on `x` [1, H, W, C] -> [1, scale*H, scale*W, out_channels]."""
    # Networks that look at the image at different resolutions have no weight in common.
    with ops.part(f"at_{reduction(choices)}"):
        return _unet(ops, x, choices, out_channels, scale)


def _unet(ops: Any, x: Any, choices: Choices, out_channels: int, scale: int) -> Any:
    shrink = reduction(choices)
    block = scale * shrink
    path = None
    if choices["global_path"] == "linear":
        # First, so that the head is written last and the delegate fuses the sum into it.
        # The kernel covers one input pixel around each output block, whatever the reduction.
        kernel, channels = shrink + 2, out_channels * block**2
        with ops.part(GLOBAL_PATH):
            path = ops.conv(x, channels, kernel, stride=shrink, init="zeros", name=GLOBAL_PATH)
    features = _body(ops, _stem(ops, x, choices), choices)
    gains = None
    if choices.get("gains"):
        # Before the head too, so that the delegate fuses the product into the image.
        with ops.part(GAINS):
            gains = ops.tap(colour_gains(ops, features, out_channels), GAINS)
    head_kernel = 1 if choices["head"] == "conv1" else 3
    # A head beside a path from the input learns what is missing there, another one everything.
    with ops.part(f"{HEAD}_{choices['global_path']}"):
        y = ops.conv(features, out_channels * block**2, head_kernel, name=HEAD)
    if path is not None:
        y = ops.add(y, path)
    if block > 1:
        y = ops.depth_to_space(y, block)
    if choices["global_path"] == "residual":
        y = ops.add(y, x)
    if choices["head"] == "refine3":
        with ops.part("refine"):
            y = ops.conv(y, out_channels, 3, init="identity")
    if gains is not None:
        y = ops.multiply(y, gains)
    return TONE[tone_of(choices)].apply(ops, y)


def _stem(ops: Any, x: Any, choices: Choices) -> Any:
    x = with_filtered(ops, x, FILTERS[filters_of(choices)])
    if choices["packing"] > 1:
        x = ops.space_to_depth(x, choices["packing"])
    stem = choices["stem"] if "stem" in choices else choices["stem_packed"]
    activation = choices["stem_activation"]
    if activation == "same":
        activation = choices["activation"]
    block = DOWN["strided"] if stem == "strided3" else FEATURES[stem]
    with ops.part("stem"), ops.part(family(stem)):
        return block(ops, x, choices["width_0"], activation)


def _body(ops: Any, x: Any, choices: Choices) -> Any:
    """One plain level, or one or more hourglasses with a residual around each but the first."""
    if choices["levels"] == 0:
        with ops.part("level_0"), ops.part("encoder"):
            return _level(ops, x, choices, 0)
    x = _hourglass(ops, x, choices, "")
    for number in range(1, choices["stacks"]):
        x = ops.add(_hourglass(ops, x, choices, f"_{number}"), x)
    return x


def _hourglass(ops: Any, x: Any, choices: Choices, suffix: str) -> Any:
    levels = choices["levels"]
    encoder, decoder = "encoder" + suffix, "decoder" + suffix
    with ops.part("level_0"), ops.part(encoder):
        encoded = [_level(ops, x, choices, 0)]
    for level in range(1, levels + 1):
        down = DOWN[choices["down"]]
        with ops.part(f"down_{level}"), ops.part(choices["down"] + suffix):
            x = down(ops, encoded[-1], choices[f"width_{level}"], choices["activation"])
        with ops.part(f"level_{level}"), ops.part(encoder):
            encoded.append(_level(ops, x, choices, level))
    x = encoded[-1]
    for level in reversed(range(levels)):
        with ops.part(f"up_{level}"), ops.part(choices["up"] + suffix):
            x = UP[choices["up"]](ops, x, choices[f"width_{level}"])
        x = SKIP[choices["skip"]](ops, x, encoded[level])
        with ops.part(f"level_{level}"), ops.part(decoder):
            x = _level(ops, x, choices, level)
    return x


def _level(ops: Any, x: Any, choices: Choices, level: int) -> Any:
    chosen = level_of(choices, level)
    for number in range(chosen.count):
        with ops.part(f"block_{number}"), ops.part(family(chosen.block)):
            x = FEATURES[chosen.block](ops, x, chosen.width, choices["activation"])
    if chosen.attention == "none":
        return x
    with ops.part(chosen.attention):
        return ATTENTION[chosen.attention](ops, x)

"""The search spaces `unet_isp` and `unet_bokeh`: the choices of `spaces.unet` for each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .architecture import Value
from .space import SPACES, Choice, SearchSpace
from .unet import unet

HEAD_CHOICE = Choice("head", ("conv3", "conv1", "refine3"))

_DEEPEST = 4
_ANY_LEVEL = tuple(range(1, _DEEPEST + 1))


def stem_choices(*packings: int) -> tuple[Choice, ...]:
    """How level 0 is reached from the input; behind the largest packing nothing is strided."""
    *less, largest = packings
    return (
        Choice("packing", packings),
        Choice("stem", ("conv3", "conv5", "strided3"), {"packing": tuple(less)}),
        Choice("stem_packed", ("conv1", "conv3"), {"packing": (largest,)}),
    )


def activation_choices() -> tuple[Choice, ...]:
    """Of the stem, and of everything else."""
    return (
        Choice("stem_activation", ("same", "tanh")),
        Choice("activation", ("relu", "leaky_relu", "prelu", "hard_swish")),
    )


def level_choices(deepest: int, count: str, attention: tuple[Value, ...]) -> tuple[Choice, ...]:
    """Of levels 0 to `deepest` each: width, number of blocks (called `count`), attention.

    Widths are multiples of 4: the delegate pads channels to 4.
    """
    made = []
    for level in range(deepest + 1):
        widths = tuple(range(8, 65, 8)) if level else tuple(range(4, 33, 4))
        there: dict[str, tuple[Value, ...]] = (
            {"levels": tuple(range(level, deepest + 1))} if level else {}
        )
        made += [
            Choice(f"width_{level}", widths, there),
            Choice(f"{count}_{level}", (1, 2, 3), there),
            Choice(f"attention_{level}", attention, there),
        ]
    return tuple(made)


def _body_choices() -> tuple[Choice, ...]:
    """What both tasks share."""
    deep: dict[str, tuple[Value, ...]] = {"levels": _ANY_LEVEL}
    return (
        *activation_choices(),
        Choice("conv", ("conv3", "conv5", "separable3")),
        Choice("levels", (0, *_ANY_LEVEL)),
        Choice("stacks", (1, 2, 3), deep),
        Choice("down", ("strided", "max_pool", "average_pool", "space_to_depth"), deep),
        Choice("up", ("transposed", "resize_conv", "depth_to_space"), deep),
        Choice("skip", ("add", "concat", "none"), deep),
        *level_choices(_DEEPEST, "convs", (False, True)),
        HEAD_CHOICE,
    )


def isp_network(ops: Any, x: Any, choices: Mapping[str, Value]) -> Any:
    """[1, H, W, 4] -> [1, 2 H, 2 W, 3]."""
    return unet(ops, x, choices, out_channels=3, scale=2)


def bokeh_network(ops: Any, x: Any, choices: Mapping[str, Value]) -> Any:
    """[1, H, W, 3] -> [1, H, W, 3]."""
    return unet(ops, x, choices, out_channels=3, scale=1)


SPACES.add(
    "unet_isp",
    SearchSpace(
        name="unet_isp",
        choices=(
            *stem_choices(1, 2),
            *_body_choices(),
            Choice("global_path", ("none", "linear")),
        ),
        network=isp_network,
        input_channels=4,
        multiple=32,
        doc="Packed Bayer frame [H/2, W/2, 4] to RGB [H, W, 3].",
    ),
)

SPACES.add(
    "unet_bokeh",
    SearchSpace(
        name="unet_bokeh",
        choices=(
            *stem_choices(1, 2, 4),
            *_body_choices(),
            Choice("global_path", ("none", "linear", "residual")),
        ),
        network=bokeh_network,
        input_channels=3,
        multiple=64,
        doc="RGB photograph [H, W, 3] in focus to the same with a shallow depth of field.",
    ),
)

"""The search spaces `unet_isp` and `unet_bokeh`: the choices of `spaces.unet` for each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .architecture import Value
from .registry import Registry
from .space import Choice, SearchSpace
from .unet import unet

SPACES: Registry[SearchSpace] = Registry("search space")

_ANY_LEVEL = (1, 2, 3, 4)


def _levels_from(level: int) -> dict[str, tuple[Value, ...]]:
    return {"levels": tuple(range(level, 5))} if level else {}


def _body_choices() -> tuple[Choice, ...]:
    """What both tasks share. Widths are multiples of 4: the delegate pads channels to 4."""
    per_level = [
        choice
        for level in range(5)
        for choice in (
            Choice(
                f"width_{level}",
                tuple(range(4, 33, 4)) if level == 0 else tuple(range(8, 65, 8)),
                _levels_from(level),
            ),
            Choice(f"convs_{level}", (1, 2, 3), _levels_from(level)),
            Choice(f"attention_{level}", (False, True), _levels_from(level)),
        )
    ]
    deep: dict[str, tuple[Value, ...]] = {"levels": _ANY_LEVEL}
    return (
        Choice("stem_activation", ("same", "tanh")),
        Choice("activation", ("relu", "leaky_relu", "prelu", "hard_swish")),
        Choice("conv", ("conv3", "conv5", "separable3")),
        Choice("levels", (0, 1, 2, 3, 4)),
        Choice("stacks", (1, 2, 3), deep),
        Choice("down", ("strided", "max_pool", "average_pool", "space_to_depth"), deep),
        Choice("up", ("transposed", "resize_conv", "depth_to_space"), deep),
        Choice("skip", ("add", "concat", "none"), deep),
        *per_level,
        Choice("head", ("conv3", "conv1", "refine3")),
    )


def _isp_network(ops: Any, x: Any, choices: Mapping[str, Value]) -> Any:
    return unet(ops, x, choices, out_channels=3, scale=2)


def _bokeh_network(ops: Any, x: Any, choices: Mapping[str, Value]) -> Any:
    return unet(ops, x, choices, out_channels=3, scale=1)


SPACES.add(
    "unet_isp",
    SearchSpace(
        name="unet_isp",
        choices=(
            Choice("packing", (1, 2)),
            Choice("stem", ("conv3", "conv5", "strided3"), {"packing": (1,)}),
            Choice("stem_packed", ("conv1", "conv3"), {"packing": (2,)}),
            *_body_choices(),
            Choice("global_path", ("none", "linear")),
        ),
        network=_isp_network,
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
            Choice("packing", (1, 2, 4)),
            Choice("stem", ("conv3", "conv5", "strided3"), {"packing": (1, 2)}),
            Choice("stem_packed", ("conv1", "conv3"), {"packing": (4,)}),
            *_body_choices(),
            Choice("global_path", ("none", "linear", "residual")),
        ),
        network=_bokeh_network,
        input_channels=3,
        multiple=64,
        doc="RGB photograph [H, W, 3] in focus to the same with a shallow depth of field.",
    ),
)

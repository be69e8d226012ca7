"""The search spaces `blocks_isp` and `blocks_bokeh`: a UNet of all blocks that have a name.

The values of a choice are the names in a registry of `spaces.blocks`, so a block that is
registered is searched.

One feature block is chosen for level 0 and one for all levels below it. Level 0 holds most of the
pixels and so of the run time, and published systems put cheap convolutions there and costly
blocks below. A choice for every level would multiply the architectures by 17 a level, which a
study of some hundred trials cannot tell apart; a single one would price every costly block at
full resolution.

There are at most three levels below level 0: MobileViT needs an even H and W wherever it stands,
and the ISP's 544 rows are even five times over, of which the stem may take one.
"""

from __future__ import annotations

from .architecture import Value
from .blocks.attention import ATTENTION
from .blocks.colour import TONE
from .blocks.down import DOWN
from .blocks.features import FEATURES
from .blocks.filters import FILTERS
from .blocks.skip import SKIP
from .blocks.up import UP
from .space import SPACES, Choice, SearchSpace
from .unet_spaces import (
    HEAD_CHOICE,
    activation_choices,
    bokeh_network,
    isp_network,
    level_choices,
    stem_choices,
)

_DEEPEST = 3
_ANY_LEVEL = tuple(range(1, _DEEPEST + 1))


def _body_choices() -> tuple[Choice, ...]:
    """What both tasks share."""
    deep: dict[str, tuple[Value, ...]] = {"levels": _ANY_LEVEL}
    return (
        Choice("filters", tuple(FILTERS)),
        *activation_choices(),
        Choice("levels", (0, *_ANY_LEVEL)),
        Choice("stacks", (1, 2), deep),
        Choice("block_0", tuple(FEATURES)),
        Choice("block_deep", tuple(FEATURES), deep),
        Choice("down", tuple(DOWN), deep),
        Choice("up", tuple(UP), deep),
        Choice("skip", tuple(SKIP), deep),
        *level_choices(_DEEPEST, "blocks", ("none", *ATTENTION)),
        HEAD_CHOICE,
    )


SPACES.add(
    "blocks_isp",
    SearchSpace(
        name="blocks_isp",
        choices=(
            *stem_choices(1, 2),
            *_body_choices(),
            Choice("gains", (False, True)),
            Choice("tone", tuple(TONE)),
            Choice("global_path", ("none", "linear")),
        ),
        network=isp_network,
        input_channels=4,
        multiple=32,
        doc="unet_isp's task, of all blocks, filters and colour steps that have a name.",
    ),
)

SPACES.add(
    "blocks_bokeh",
    SearchSpace(
        name="blocks_bokeh",
        choices=(
            *stem_choices(1, 2, 4),
            *_body_choices(),
            Choice("global_path", ("none", "linear", "residual")),
        ),
        network=bokeh_network,
        input_channels=3,
        multiple=64,
        doc="unet_bokeh's task, of all blocks and filters that have a name.",
    ),
)

"""Sensebrain: NAFNet on the photograph and a depth map. Chen et al., ECCV 2022.

The report's depth network (DPT) and its two discriminators are not part of this graph.
Its GPU run failed on the challenge's phone.
"""

from functools import partial
from typing import Any

from spaces.blocks.naf import naf_block
from spaces.blocks.residual import repeated
from spaces.zoo.system import ZooSystem, register

_ENCODER, _MIDDLE, _DECODER = (2, 2, 2, 20), 2, (2, 2, 2, 2)


def network(ops: Any, x: Any, *, width: int) -> Any:
    """[1, H, W, 4] (RGB and depth) -> [1, H, W, 3]; H and W are multiples of 16."""
    photograph = ops.channel_range(x, 0, 3)
    x = ops.conv(x, width)
    skips = []
    for blocks in _ENCODER:
        skips.append(repeated(ops, x, naf_block, blocks))
        x = ops.conv(skips[-1], 2 * ops.channels(skips[-1]), 2, stride=2)
    x = repeated(ops, x, naf_block, _MIDDLE)
    for blocks, skip in zip(_DECODER, reversed(skips), strict=True):
        up = ops.depth_to_space(ops.conv(x, 2 * ops.channels(x), 1, bias=False), 2)
        x = repeated(ops, ops.add(up, skip), naf_block, blocks)
    # It starts as the photograph: brief training would not unlearn random features.
    return ops.add(ops.conv(x, 3, init="zeros"), photograph)


register(
    ZooSystem(
        name="sensebrain",
        task="bokeh",
        title="Sensebrain: NAFNet with depth",
        published_team="Sensebrain",
        input_shape=(1024, 1024, 4),
        network=partial(network, width=32),
        confidence="low",
        note="NAFNet as in its public code. Its width is not given: 32 fits the run time on the "
        "CPU, and the published 402 MB would then be mostly the depth network, which is outside "
        "this graph. Failed on the phone's GPU.",
        parameters=15_994_435,
        training="L1, SSIM and the three bokeh losses, then L1, VGG, SSIM and two patch "
        "discriminators (WGAN-GP), batch 2, Adam at 1e-4; the mask from the pair "
        "instead of a depth network.",
        recipe={
            "batch": 2,
            "stages": (
                {
                    "loss": {
                        "l1": 0.5,
                        "ssim": 0.05,
                        "bokeh_edge": 0.005,
                        "bokeh_blur": 0.1,
                        "bokeh_foreground": 0.005,
                    },
                    "alone": True,
                },
                {"loss": {"l1": 0.5, "ssim": 0.05, "vgg19": 1e-5}},
            ),
            "adversarial": {"weight": 1.0, "depths": (3, 5)},
        },
    )
)

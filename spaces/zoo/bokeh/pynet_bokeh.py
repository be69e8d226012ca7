"""PyNET for bokeh: five levels of parallel 3x3 to 9x9 convolutions.

Ignatov et al., "Rendering Natural Camera Bokeh Effect with Deep Learning",
CVPR workshops 2020. The output of the second-finest level, at the size of the input.
"""

from functools import partial
from typing import Any

from spaces.zoo.system import ZooSystem, register


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] (RGB and depth) -> [1, H, W, 3]; H and W are multiples of 32."""
    skips = [_block(ops, ops.space_to_depth(x, 2), 3, 32, normalised=False)]
    for width in (64, 128, 256):
        skips.append(_block(ops, ops.max_pool(skips[-1]), 3, width))
    level_1, level_2, level_3, level_4 = skips
    x = ops.tap(_level_5(ops, ops.max_pool(level_4)), "level_5")
    x = ops.tap(_level_4(ops, level_4, *_twin_up(ops, x, 256)), "level_4")
    x = ops.tap(_level_3(ops, level_3, *_twin_up(ops, x, 128)), "level_3")
    x = ops.tap(_level_2(ops, level_2, *_twin_up(ops, x, 64)), "level_2")
    x = _level_1(ops, level_1, *_twin_up(ops, x, 32))
    x = ops.activation(ops.conv(_up(ops, x, 8), 3), "tanh")
    return ops.shift(ops.scale(x, 0.58), 0.5)


def _level_5(ops: Any, x: Any) -> Any:
    x = _block(ops, x, 3, 512)
    for _ in range(2):
        x = ops.add(_block(ops, x, 3, 512), x)
    return _block(ops, x, 3, 512)


def _level_4(ops: Any, skip: Any, up_first: Any, up_last: Any) -> Any:
    x = _block(ops, ops.concat([skip, up_first]), 3, 256)
    for _ in range(2):
        x = ops.add(_block(ops, x, 3, 256), x)
    x = ops.concat([_block(ops, x, 3, 256), up_last])
    return _block(ops, x, 3, 256)


def _level_3(ops: Any, skip: Any, up_first: Any, up_last: Any) -> Any:
    x = ops.concat([skip, up_first])
    for _ in range(3):
        x = ops.add(_block(ops, x, 5, 128), x)
    x = ops.concat([_block(ops, x, 5, 128), skip, up_last])
    return _block(ops, x, 3, 128)


def _level_2(ops: Any, skip: Any, up_first: Any, up_last: Any) -> Any:
    x = _block(ops, ops.concat([skip, up_first]), 5, 64)
    x = ops.concat([x, skip])
    for _ in range(3):
        x = ops.add(_block(ops, x, 7, 64), x)
    x = ops.concat([_block(ops, x, 7, 64), skip])
    x = ops.concat([_block(ops, x, 5, 64), up_last])
    return _block(ops, x, 3, 64)


def _level_1(ops: Any, skip: Any, up_first: Any, up_last: Any) -> Any:
    block = partial(_block, ops, width=32, normalised=False)
    x = ops.concat([block(ops.concat([skip, up_first]), 5), skip])
    x = block(block(x, 7), 9)
    for _ in range(3):
        x = ops.add(block(x, 9), x)
    x = ops.concat([block(x, 7), skip])
    x = ops.concat([block(x, 5), up_last, skip])
    return block(x, 3)


def _block(ops: Any, x: Any, largest: int, width: int, *, normalised: bool = True) -> Any:
    """Two convolutions for each kernel size from 3 to `largest`, side by side."""
    branches = []
    for kernel in range(3, largest + 1, 2):
        y = _conv(ops, x, width, kernel, normalised=normalised)
        branches.append(_conv(ops, y, width, kernel, normalised=normalised))
    return branches[0] if len(branches) == 1 else ops.concat(branches)


def _conv(ops: Any, x: Any, width: int, kernel: int, *, normalised: bool) -> Any:
    x = ops.conv(x, width, kernel)
    if normalised:
        x = ops.instance_norm(x)
    return ops.activation(x, "leaky_relu")


def _up(ops: Any, x: Any, width: int) -> Any:
    return ops.activation(ops.transposed_conv(x, width, 3), "leaky_relu")


def _twin_up(ops: Any, x: Any, width: int) -> tuple[Any, Any]:
    """The two up-samplings that the next finer level takes in, early and late."""
    return _up(ops, x, width), _up(ops, x, width)


register(
    ZooSystem(
        name="pynet_bokeh",
        task="bokeh",
        title="PyNET (baseline)",
        published_team="PyNET",
        input_shape=(1024, 1024, 4),
        network=network,
        confidence="high",
        note="Public code of the authors. An input of 1024x1024 without the last up-sampling is "
        "assumed: the published run time fits it better than an input of 512x512. Transposed "
        "convolutions have a bias here (968 parameters).",
        parameters=47_525_795,
        training="Level by level from the coarsest with L1, the finest with L1, VGG and SSIM; "
        "Adam at 5e-5, batch 50 at the coarsest.",
        recipe={
            "stages": (
                {"level": "level_5", "loss": {"l1": 100.0}},
                {"level": "level_4", "loss": {"l1": 100.0}},
                {"level": "level_3", "loss": {"l1": 100.0}},
                {"level": "level_2", "loss": {"l1": 100.0}},
                {"share": 4.0, "loss": {"l1": 10.0, "ssim": 10.0, "vgg19": 1e-5}},
            )
        },
    )
)

"""MicroISP 1.0 and 0.5: one small branch for each output colour.

Ignatov et al., "MicroISP: Processing 32MP Photos on Mobile Devices with Deep
Learning", ECCV workshops 2022.
"""

from functools import partial
from typing import Any

from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_FEATURES = 4
_CONVS = 7
_SKIP_EVERY = 3


def network(ops: Any, x: Any, *, stages: int) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are at least 79."""
    colours = [x, x, x]
    for _ in range(stages):
        colours = [_stage(ops, colour) for colour in colours]
    return ops.concat([_to_image(ops, colour) for colour in colours])


def _stage(ops: Any, x: Any) -> Any:
    skip = x
    for index in range(_CONVS):
        x = _conv_prelu(ops, x)
        if index % _SKIP_EVERY == 0:
            skip = x
        elif index % _SKIP_EVERY == _SKIP_EVERY - 1:
            x = ops.add(ops.multiply(x, _attention(ops, x)), skip)
    return ops.activation(ops.conv(x, _FEATURES, 3), "tanh")


def _conv_prelu(ops: Any, x: Any, kernel: int = 3, **strided: Any) -> Any:
    return ops.activation(ops.conv(x, _FEATURES, kernel, **strided), "prelu")


def _attention(ops: Any, x: Any) -> Any:
    """Channel gates from strongly strided convolutions, [1, 1, 1, C]."""
    x = _conv_prelu(ops, x, 1, stride=3, padding="valid")
    for _ in range(3):
        x = _conv_prelu(ops, x, 3, stride=3, padding="valid")
    x = _conv_prelu(ops, ops.global_average(x), 1)
    return ops.activation(ops.conv(x, _FEATURES, 1), "sigmoid")


def _to_image(ops: Any, x: Any) -> Any:
    return ops.depth_to_space(ops.shift(ops.scale(x, 0.58), 0.5), 2)


_TRAINING = "Not published; MSE, SSIM and VGG as in the authors' other networks."
_RECIPE = {"loss": {"mse": 20.0, "ssim": 1.0, "vgg19": 1e-4}, "crop": 192}

register(
    ZooSystem(
        name="microisp_1_0",
        task="isp",
        title="MicroISP 1.0 (baseline)",
        published_team="MicroISP 1.0",
        input_shape=ISP_INPUT,
        network=partial(network, stages=2),
        confidence="exact",
        note="Public code and released file of the authors.",
        parameters=13_560,
        training=_TRAINING,
        recipe=_RECIPE,
    )
)
register(
    ZooSystem(
        name="microisp_0_5",
        task="isp",
        title="MicroISP 0.5 (baseline)",
        published_team="MicroISP 0.5",
        input_shape=ISP_INPUT,
        network=partial(network, stages=1),
        confidence="high",
        note="One stage of MicroISP 1.0 assumed; it halves parameters and file size as published.",
        parameters=6_780,
        training=_TRAINING,
        recipe=_RECIPE,
    )
)

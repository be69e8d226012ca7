"""DANN-ISP: a UNet trained with a domain-adversarial loss.

Shutova and Ignatov, "DANN-ISP"; the domain classifier is not part of inference.
"""

from typing import Any

from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_WIDTHS = (64, 128, 256)


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 8."""
    for width in (8, 16, 32):
        x = _conv(ops, x, width)
    skips = []
    for width in _WIDTHS:
        x = _twice(ops, x, width)
        skips.append(x)
        x = ops.max_pool(x)
    x = ops.tap(_twice(ops, x, 512), "bottleneck")
    for width, skip in zip(reversed(_WIDTHS), reversed(skips), strict=True):
        x = _twice(ops, ops.concat([skip, _up(ops, x, width)]), width)
    x = _twice(ops, _up(ops, x, 16), 16)
    return ops.activation(ops.conv(x, 3, 1), "sigmoid")


def _conv(ops: Any, x: Any, width: int, kernel: int = 3) -> Any:
    return ops.activation(ops.conv(x, width, kernel), "relu")


def _twice(ops: Any, x: Any, width: int) -> Any:
    return _conv(ops, _conv(ops, x, width), width)


def _up(ops: Any, x: Any, width: int) -> Any:
    return _conv(ops, ops.resize(x, 2), width, 2)


register(
    ZooSystem(
        name="dann_isp",
        task="isp",
        title="DANN-ISP: domain-adversarial UNet",
        published_team="DANN-ISP",
        input_shape=ISP_INPUT,
        network=network,
        confidence="exact",
        note="Public code of the authors; its size is the published one.",
        parameters=7_728_891,
        training="4 epochs on one camera with L1, VGG, MS-SSIM, cosine and exposure-fusion "
        "losses, then 2 with a domain classifier behind a gradient reversal; weights "
        "assumed, and the second camera imitated by other gains of the channels.",
        recipe={
            "loss": {
                "l1": 1.0,
                "ms_ssim": 0.2,
                "cosine": 0.5,
                "exposure_fusion": 0.1,
                "vgg19": 1e-4,
            },
            "stages": ({"share": 4.0, "alone": True}, {"share": 2.0}),
            "domain": {"weight": 0.01, "features": "bottleneck"},
        },
    )
)

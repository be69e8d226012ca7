"""CHannel Team: GaUss-DWT, a wavelet UNet beside fixed-filter paths.

MW-ISPNet: Ignatov et al., AIM 2020; RCAB and RCAG: Zhang et al., "RCAN", ECCV 2018. Its GPU
run failed on the challenge's phone, and its CPU run took more than ten minutes.
"""

from typing import Any

from spaces.blocks.filters import GAUSS, SOBEL
from spaces.blocks.residual import attention_block, repeated, residual_group
from spaces.blocks.wavelet import haar_dwt, haar_idwt
from spaces.zoo.system import ISP_INPUT, ZooSystem, register

_WIDTHS = (64, 128, 256)
_BLOCKS = 7


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 8."""
    paths = [_path(ops, x)]
    paths += [_path(ops, ops.fixed_depthwise(x, taps)) for taps in (GAUSS, SOBEL)]
    paths.append(_wavelet_path(ops, x))
    x = residual_group(ops, ops.conv(ops.concat(paths), 64), 8, attention_block)
    for width in (64, 64):
        x = ops.conv(x, width)
    return ops.depth_to_space(ops.conv(x, 12), 2)


def _path(ops: Any, x: Any) -> Any:
    return attention_block(ops, ops.conv(ops.conv(x, 64), 64))


def _wavelet_path(ops: Any, x: Any) -> Any:
    """MW-ISPNet with its groups replaced by blocks."""
    levels = []
    for width in _WIDTHS:
        x = _prelu_conv(ops, haar_dwt(ops, x), width)
        x = _blocks(ops, x)
        levels.append(x)
    x = _blocks(ops, levels.pop())
    for width in _WIDTHS[-2::-1]:
        x = _prelu_conv(ops, x, 4 * width)
        x = _blocks(ops, ops.add(haar_idwt(ops, x), levels.pop()))
    return ops.conv(haar_idwt(ops, ops.conv(x, 4 * 4)), 4)


def _prelu_conv(ops: Any, x: Any, width: int) -> Any:
    return ops.activation(ops.conv(x, width), "prelu")


def _blocks(ops: Any, x: Any) -> Any:
    return repeated(ops, x, attention_block, _BLOCKS)


register(
    ZooSystem(
        name="channel",
        task="isp",
        title="CHannel Team: GaUss-DWT",
        published_team="CHannel Team",
        input_shape=ISP_INPUT,
        network=network,
        confidence="low",
        note="Paths and blocks as in the report and MW-ISPNet's public code; widths of 64, 128 "
        "and 256 and seven blocks a node assumed so that the file size fits. Failed on the "
        "phone's GPU.",
        parameters=25_983_268,
        training="VGG, MSE, L1, MS-SSIM and edge losses (weights assumed), batch 8, Adam at 1e-4.",
        recipe={"loss": {"mse": 1.0, "l1": 1.0, "ms_ssim": 0.15, "edge": 0.05, "vgg19": 1e-4}},
    )
)

"""SKD-VSP: EDSR on the low band of a Haar wavelet transform, a smaller one on the details.

EDSR: Lim et al., CVPR workshops 2017. Its GPU run failed on the challenge's phone.
"""

from typing import Any

from spaces.blocks.residual import repeated, residual_block
from spaces.blocks.wavelet import haar_dwt, haar_idwt
from spaces.zoo.system import ISP_INPUT, ZooSystem, register


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]."""
    bands = haar_dwt(ops, ops.conv(ops.depth_to_space(x, 2), 3))
    low = _edsr(ops, ops.channel_range(bands, 0, 3), 256, 16)
    details = _edsr(ops, ops.channel_range(bands, 3, 12), 64, 8)
    return haar_idwt(ops, ops.concat([low, details]))


def _edsr(ops: Any, x: Any, width: int, blocks: int) -> Any:
    """Channels in and out are the same; batch normalisation is what EDSR leaves out."""
    first = ops.conv(x, width)
    y = repeated(ops, first, residual_block, blocks)
    return ops.conv(ops.add(ops.conv(y, width, init="small"), first), ops.channels(x))


register(
    ZooSystem(
        name="skd_vsp",
        task="isp",
        title="SKD-VSP: wavelet bands through two EDSRs",
        published_team="SKD-VSP",
        input_shape=ISP_INPUT,
        network=network,
        confidence="medium",
        note="Blocks and widths as in the report; the lift of the RAW frame to three channels and "
        "the detail bands stacked to nine are assumed. Failed on the phone's GPU.",
        parameters=20_124_970,
        training="L1 on the detail bands, L1, VGG and SSIM on the low one (weights assumed), Adam "
        "at 1e-3 halved every 25 of 100 epochs; here at EDSR's 1e-4, beyond which it explodes at "
        "once.",
        recipe={
            "loss": {"details:l1": 1.0, "low:l1": 1.0, "low:ssim": 0.1, "low:vgg19": 1e-4},
            "learning_rate": 1e-4,
            "schedule": "steps",
            "halvings": 3,
        },
    )
)

"""CASIA 1st's teacher: PUNET with self-attention over all pixels, for training the student.

Self-attention: Zhang et al., "SAGAN", ICML 2019. Trained on patches; a full frame would need
scores of (272 * 480)^2 pixels.
"""

from typing import Any

from spaces.blocks.attention import self_attention
from spaces.zoo.isp.casia import punet
from spaces.zoo.system import ISP_INPUT, ZooSystem, register


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 4] -> [1, 2H, 2W, 3]; H and W are multiples of 16."""
    return punet(ops, x, attention=self_attention)


register(
    ZooSystem(
        name="casia_teacher",
        task="isp",
        title="CASIA 1st: AA-Unet, the teacher",
        published_team=None,
        input_shape=ISP_INPUT,
        network=network,
        confidence="low",
        note="As the student, with self-attention as in SAGAN in place of the three kinds. Never "
        "submitted: for distillation, on patches.",
        parameters=52_487_211,
        training="MSE, SSIM, VGG and edges on the image, MSE on levels 2 to 4 and SSIM on 2 and 3, "
        "each from a 3x3 convolution of the decoder's features (assumed, as are all weights); "
        "batch 12, here 4.",
        recipe={
            "loss": {"mse": 1.0, "ssim": 0.1, "edge": 0.05, "vgg19": 1e-4},
            "levels": {
                "decoded_4": {"mse": 1.0},
                "decoded_3": {"mse": 1.0, "ssim": 0.1},
                "decoded_2": {"mse": 1.0, "ssim": 0.1},
            },
            # The third level is an eighth of the crop, and SSIM's window has 11 pixels.
            "crop": 128,
            "batch": 4,
            "weight_decay": 5e-5,
        },
    )
)

"""VIC: MobileViTv2 as encoder, a dense-prediction transformer's fusion blocks as decoder.

Mehta and Rastegari, 2022; DPT: Ranftl et al., ICCV 2021. It never ran as a TensorFlow Lite file:
the transposition of rank 6 in its attention is refused by the GPU delegate.
"""

from typing import Any

from spaces.blocks.mobile import inverted_residual, mobilevit_v2, swish
from spaces.zoo.system import BOKEH_INPUT, ZooSystem, register

_FEATURES = 256
_TRANSFORMERS = ((512, 256, 2, 2), (768, 384, 4, 2), (1024, 512, 3, 1))
"""Width, attention's width, layers, stride."""


def network(ops: Any, x: Any) -> Any:
    """[1, H, W, 3] -> [1, H, W, 3]; H and W are multiples of 32."""
    x = swish(ops, ops.conv(x, 64, 3, stride=2))
    x = inverted_residual(ops, x, 128)
    x = inverted_residual(ops, x, 256, stride=2)
    levels = [inverted_residual(ops, x, 256)]
    for width, attention_width, layers, stride in _TRANSFORMERS:
        x = inverted_residual(ops, levels[-1], width, stride=stride)
        levels.append(mobilevit_v2(ops, x, attention_width, layers, delegable=False))
    levels = [ops.conv(level, _FEATURES, 3, bias=False) for level in levels]
    x = ops.conv(_residual_unit(ops, levels.pop()), _FEATURES, 1)
    for _ in range(3):
        x = _residual_unit(ops, ops.add(x, _residual_unit(ops, levels.pop())))
        x = ops.conv(ops.resize(x, 2, "bilinear"), _FEATURES, 1)
    x = ops.resize(ops.conv(x, _FEATURES // 2), 2, "bilinear")
    x = ops.activation(ops.conv(x, 32), "relu")
    return ops.activation(ops.conv(x, 3, 1), "relu")


def _residual_unit(ops: Any, x: Any) -> Any:
    """ReLU and 3x3, twice, plus the input."""
    y = ops.conv(ops.activation(x, "relu"), _FEATURES)
    y = ops.conv(ops.activation(y, "relu"), _FEATURES, init="small")
    return ops.add(y, x)


register(
    ZooSystem(
        name="vic",
        task="bokeh",
        title="VIC: MobileViTv2 with a DPT decoder",
        published_team="VIC",
        input_shape=BOKEH_INPUT,
        network=network,
        confidence="high",
        note="Public code of the team at twice MobileViTv2's width; resizing with half-pixel "
        "centres here, and batch normalisation merged. The published 127 MB are the PyTorch "
        "checkpoint, which holds a unit that is not used. Cannot run on the GPU delegate.",
        parameters=32_163_340,
        training="10 epochs of handing the input through, 10 of L1 to the target, then L1 to the "
        "input in front and to the target behind, with feature reconstruction (read as VGG's, its "
        "weight assumed); batch 2, AdamW at 5e-4. The mask is the pair's here, not a depth "
        "network's; weight decay of the public code.",
        recipe={
            "batch": 2,
            "weight_decay": 0.05,
            "stages": (
                {"target": "input", "loss": "l1"},
                {"loss": "l1"},
                {"loss": {"bokeh_masked": 1.0, "vgg19": 1e-5}},
            ),
        },
    )
)

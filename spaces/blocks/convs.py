"""Feature convolutions: H and W stay, `width` channels come out, the activation included."""

from __future__ import annotations

from typing import Any

from spaces.ops.protocol import Activation

from .features import FEATURES


@FEATURES.register("conv1")
def conv1(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """1x1 convolution."""
    return ops.activation(ops.conv(x, width, 1), activation)


@FEATURES.register("conv3")
def conv3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution."""
    return ops.activation(ops.conv(x, width, 3), activation)


@FEATURES.register("erep3")
def erep3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution that SYENet trains as eight branches: the same kernel on the GPU."""
    return ops.activation(ops.conv(x, width, 3, branches="erep"), activation)


@FEATURES.register("repvgg3")
def repvgg3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution that RepVGG trains as 3x3, 1x1 and identity."""
    return ops.activation(ops.conv(x, width, 3, branches="repvgg"), activation)


@FEATURES.register("ecb3")
def ecb3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution that ECBSR trains with edge filters beside it."""
    return ops.activation(ops.conv(x, width, 3, branches="ecb"), activation)


@FEATURES.register("conv5")
def conv5(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """5x5 convolution."""
    return ops.activation(ops.conv(x, width, 5), activation)


@FEATURES.register("separable3")
def separable3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 depthwise then 1x1 convolution (MobileNet): two kernels on the GPU, fewer MACs."""
    return ops.activation(ops.conv(ops.depthwise(x, 3), width, 1), activation)


@FEATURES.register("instance3")
def instance3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution with instance normalisation, as PyNET has them: Ignatov et al., 2020."""
    return ops.activation(ops.instance_norm(ops.conv(x, width, 3)), activation)

"""Feature convolutions: H and W stay, `width` channels come out, the activation included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.ops.protocol import Activation
from spaces.registry import Registry

ConvBlock = Callable[[Any, Any, int, Activation], Any]
"""(ops, x, width, activation) -> y"""

CONVS: Registry[ConvBlock] = Registry("convolution block")


@CONVS.register("conv1")
def conv1(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """1x1 convolution."""
    return ops.activation(ops.conv(x, width, 1), activation)


@CONVS.register("conv3")
def conv3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution."""
    return ops.activation(ops.conv(x, width, 3), activation)


@CONVS.register("erep3")
def erep3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution that SYENet trains as eight branches: the same kernel on the GPU."""
    return ops.activation(ops.conv(x, width, 3, branches="erep"), activation)


@CONVS.register("repvgg3")
def repvgg3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution that RepVGG trains as 3x3, 1x1 and identity."""
    return ops.activation(ops.conv(x, width, 3, branches="repvgg"), activation)


@CONVS.register("ecb3")
def ecb3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution that ECBSR trains with edge filters beside it."""
    return ops.activation(ops.conv(x, width, 3, branches="ecb"), activation)


@CONVS.register("conv5")
def conv5(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """5x5 convolution."""
    return ops.activation(ops.conv(x, width, 5), activation)


@CONVS.register("strided3")
def strided3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 convolution of stride 2: halves H and W."""
    return ops.activation(ops.conv(x, width, 3, stride=2), activation)


@CONVS.register("separable3")
def separable3(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """3x3 depthwise then 1x1 convolution (MobileNet): two kernels on the GPU, fewer MACs."""
    return ops.activation(ops.conv(ops.depthwise(x, 3), width, 1), activation)

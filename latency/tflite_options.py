"""Attributes of TensorFlow Lite ops: from builtin options and constant integer arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ARGUMENTS: Mapping[str, Mapping[int, str]] = {
    "ARG_MAX": {1: "axis"},
    "ARG_MIN": {1: "axis"},
    "BROADCAST_TO": {1: "shape"},
    "CUMSUM": {1: "axis"},
    "EXPAND_DIMS": {1: "axis"},
    "FILL": {0: "shape"},
    "MEAN": {1: "axes"},
    "MIRROR_PAD": {1: "paddings"},
    "PAD": {1: "paddings"},
    "PADV2": {1: "paddings", 2: "value"},
    "REDUCE_MAX": {1: "axes"},
    "REDUCE_MIN": {1: "axes"},
    "REDUCE_PROD": {1: "axes"},
    "RESHAPE": {1: "shape"},
    "RESIZE_BILINEAR": {1: "size"},
    "RESIZE_NEAREST_NEIGHBOR": {1: "size"},
    "SLICE": {1: "begin", 2: "size"},
    "SPLIT": {0: "axis"},
    "SPLIT_V": {1: "sizes", 2: "axis"},
    "STRIDED_SLICE": {1: "begin", 2: "end", 3: "strides"},
    "SUM": {1: "axes"},
    "TILE": {1: "multiples"},
    "TRANSPOSE": {1: "perm"},
    "TRANSPOSE_CONV": {0: "output_shape"},
}
"""Op kind -> position among its inputs -> the attribute a constant there becomes."""

DROPPED_ARGUMENTS = frozenset({"output_shape", "value"})
"""Arguments that say nothing a tensor's shape does not, or that are no integers."""

# By number: not sequences, which would take a negative one.
_PADDINGS = dict(enumerate(("SAME", "VALID")))
_MIRROR_MODES = dict(enumerate(("REFLECT", "SYMMETRIC")))
_WEIGHT_FORMATS = dict(enumerate(("DEFAULT", "SHUFFLED4x16INT8")))
_ACTIVATIONS = dict(enumerate(("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")))

Attributes = dict[str, Any]


def argument(name: str, values: tuple[int, ...]) -> Any:
    """The attribute value of the integers stored for argument `name`.

    Raises `ValueError` where there are too many or too few.
    """
    if name == "axis":
        if len(values) != 1:
            raise ValueError(f"{len(values)} values, not one")
        return values[0]
    if name == "paddings":
        if len(values) % 2:
            raise ValueError(f"{len(values)} values, not pairs")
        return tuple(zip(values[::2], values[1::2], strict=True))
    return values


def _activation(options: Any) -> Attributes:
    name = _ACTIVATIONS[options.FusedActivationFunction()]
    return {} if name == "NONE" else {"activation": name}


def _window(options: Any) -> Attributes:
    return {
        "stride": (options.StrideH(), options.StrideW()),
        "padding": _PADDINGS[options.Padding()],
        **_activation(options),
    }


def _convolution(options: Any) -> Attributes:
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    return {**_window(options), "dilation": dilation}


def _pool(options: Any) -> Attributes:
    return {**_window(options), "kernel": (options.FilterHeight(), options.FilterWidth())}


def _fully_connected(options: Any) -> Attributes:
    return {
        **_activation(options),
        "keep_num_dims": bool(options.KeepNumDims()),
        "weights_format": _WEIGHT_FORMATS[options.WeightsFormat()],
    }


def _slice_masks(options: Any) -> Attributes:
    return {
        "begin_mask": options.BeginMask(),
        "end_mask": options.EndMask(),
        "ellipsis_mask": options.EllipsisMask(),
        "new_axis_mask": options.NewAxisMask(),
        "shrink_axis_mask": options.ShrinkAxisMask(),
    }


def _resize(options: Any) -> Attributes:
    return {
        "align_corners": bool(options.AlignCorners()),
        "half_pixel_centers": bool(options.HalfPixelCenters()),
    }


def _concatenation(options: Any) -> Attributes:
    return {"axis": options.Axis(), **_activation(options)}


def _axis(options: Any) -> Attributes:
    return {"axis": options.Axis()}


def _reducer(options: Any) -> Attributes:
    return {"keep_dims": bool(options.KeepDims())}


def _block(options: Any) -> Attributes:
    return {"block": options.BlockSize()}


_REDUCER = ("ReducerOptions", _reducer)

PARSERS: Mapping[str, tuple[str, Callable[[Any], Attributes]]] = {
    "ADD": ("AddOptions", _activation),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _pool),
    "CONCATENATION": ("ConcatenationOptions", _concatenation),
    "CONV_2D": ("Conv2DOptions", _convolution),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _convolution),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", _block),
    "DIV": ("DivOptions", _activation),
    "FULLY_CONNECTED": ("FullyConnectedOptions", _fully_connected),
    "GATHER": ("GatherOptions", _axis),
    "LEAKY_RELU": ("LeakyReluOptions", lambda options: {"alpha": options.Alpha()}),
    "MAX_POOL_2D": ("Pool2DOptions", _pool),
    "MEAN": _REDUCER,
    "MIRROR_PAD": ("MirrorPadOptions", lambda options: {"mode": _MIRROR_MODES[options.Mode()]}),
    "MUL": ("MulOptions", _activation),
    "PACK": ("PackOptions", _axis),
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "REDUCE_PROD": _REDUCER,
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _resize),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _resize),
    "SOFTMAX": ("SoftmaxOptions", lambda options: {"beta": options.Beta()}),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", _block),
    "STRIDED_SLICE": ("StridedSliceOptions", _slice_masks),
    "SUB": ("SubOptions", _activation),
    "SUM": _REDUCER,
    "TRANSPOSE_CONV": ("TransposeConvOptions", _window),
    "UNPACK": ("UnpackOptions", _axis),
}
"""Op kind -> the flatbuffer table of its options, and what to read from it."""

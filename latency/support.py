"""Which ops the GPU delegate accepts, and in words why it refuses one.

Restates `tensorflow/lite/tools/versioning/gpu_compatibility.cc` and the checks
of the delegate's model builder (`delegates/gpu/common/model_builder.cc`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .graph import Op, Shape, Tensor

UNARY = frozenset((
    "ABS", "CAST", "COS", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU",
    "LOG", "LOGISTIC", "NEG", "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1",
    "RSQRT", "SIGN", "SIN", "SQRT", "SQUARE", "TANH",
))  # fmt: skip
BINARY = frozenset((
    "ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS",
    "LESS_EQUAL", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW", "SQUARED_DIFFERENCE", "SUB",
))  # fmt: skip
REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"})

_INTEGER_KINDS = frozenset({"CAST", "GATHER", "ONE_HOT", "SELECT", "SELECT_V2"}) | frozenset(
    {"EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"}
)
_FLOAT_TYPES = frozenset({"float32", "float16", "int8", "uint8"})  # int8 runs as float
_INTEGER_TYPES = frozenset({"int32", "bool"})
_FUSED_ACTIVATIONS = frozenset({None, "NONE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH"})

Check = Callable[[Op, tuple[Tensor, ...]], str | None]


def refusal(op: Op, tensors: tuple[Tensor, ...], *, plain: bool = False) -> str | None:
    """Why the GPU delegate would refuse `op`, or None where it runs it.

    `plain`: the caller knows that the tensors are `all_plain`, which saves time.
    """
    kind = op.kind
    if kind not in _CHECKS:
        return "the GPU delegate has no such op"
    if not op.inputs or not op.outputs:
        return "no run-time input or no output"
    if not plain:
        for t in (*op.inputs, *op.outputs):
            flaw = _tensor_refusal(tensors[t], kind)
            if flaw:
                return flaw
    attrs = op.attrs
    if attrs and attrs.get("activation") not in _FUSED_ACTIVATIONS:
        return f"fused activation {attrs['activation']}"
    check = _CHECKS[kind]
    return check(op, tensors) if check else None


def all_plain(tensors: tuple[Tensor, ...]) -> bool:
    """Whether every op may have any of these: fixed, not empty, of rank 1 to 4, no integers."""
    # Sets, since a network repeats its few shapes.
    shapes, dtypes = {tensor.shape for tensor in tensors}, {tensor.dtype for tensor in tensors}
    return dtypes <= _FLOAT_TYPES and all(0 < len(s) <= 4 and min(s) > 0 for s in shapes)


def _tensor_refusal(tensor: Tensor, kind: str) -> str | None:
    shape, dtype = tensor.shape, tensor.dtype
    if not 0 < len(shape) <= 4 or min(shape) < 1:
        return _shape_refusal(shape)
    if dtype in _FLOAT_TYPES or (dtype in _INTEGER_TYPES and kind in _INTEGER_KINDS):
        return None
    return f"{dtype} tensor"


def _shape_refusal(shape: Shape) -> str:
    if not 0 < len(shape) <= 4:
        return f"tensor of rank {len(shape)}; the GPU takes ranks 1 to 4"
    if min(shape) < 0:
        return f"shape {_text(shape)} is not fixed"
    return f"shape {_text(shape)} is empty"


def _text(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _one_runtime_input(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    return None if len(op.inputs) == 1 else "its sizes are computed at run time, not constant"


def _convolution(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    inputs = op.inputs
    source, out = tensors[inputs[0]].shape, tensors[op.outputs[0]].shape
    if len(source) != 4 or len(out) != 4:
        return "input or output is not of rank 4"
    if len(inputs) == 1 and op.constants:
        weights = op.constants[0]
    elif len(inputs) == 2:
        weights = tensors[inputs[1]].shape
    else:
        return "needs constant weights, or weights as the only other input"
    if len(weights) != 4 or not _weights_fit(op.kind, weights, source[3], out[3]):
        return f"{_text(weights)} weights do not take {source[3]} to {out[3]} channels"
    stride = op.attrs.get("stride", (1, 1))
    return None if min(stride) > 0 else f"stride {stride}"


def _transposed_convolution(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    """Version 4 came with fused activations; the delegate knows 3, as LiteRT says of such files."""
    if op.attrs.get("activation"):
        return "an activation fused into it; the GPU takes it after a convolution, or leaky ReLU"
    return _convolution(op, tensors)


def _weights_fit(kind: str, weights: Shape, channels_in: int, channels_out: int) -> bool:
    if kind == "DEPTHWISE_CONV_2D":
        return weights[3] == channels_out and channels_out % channels_in == 0
    if weights[0] != channels_out or min(weights) < 1:
        return False
    if weights[3] == channels_in:
        return True
    groups, remainder = divmod(channels_in, weights[3])
    return kind == "CONV_2D" and remainder == 0 and channels_out % groups == 0


def _fully_connected(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if len(op.inputs) == 1 and op.constants:
        weights = op.constants[0]
    elif len(op.inputs) == 2:
        weights = tensors[op.inputs[1]].shape
    else:
        return "needs constant weights, or weights as the only other input"
    if len(weights) != 2:
        return f"{_text(weights)} weights are no matrix"
    if op.attrs.get("weights_format", "DEFAULT") != "DEFAULT":
        return "shuffled weights"
    ranks = len(tensors[op.inputs[0]].shape), len(tensors[op.outputs[0]].shape)
    if op.attrs.get("keep_num_dims") and ranks[0] != ranks[1]:
        return "keep_num_dims between different ranks"
    return None


def _pool(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    ranks = {len(tensors[t].shape) for t in (*op.inputs, *op.outputs)}
    return None if ranks == {4} else "input or output is not of rank 4"


def _batch_matmul(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if len(op.inputs) == 2 and op.inputs[0] == op.inputs[1]:
        return "both factors are the same tensor"
    return None if len(op.inputs) + len(op.constants) == 2 else "needs two factors"


def _binary(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    inputs = op.inputs
    if len(inputs) + len(op.constants) != 2:
        return "needs two inputs"
    if len(inputs) == 1:
        return None
    if inputs[0] == inputs[1]:
        same_ok = op.kind in ("ADD", "MUL")
        return None if same_ok else "both inputs are the same tensor"
    first, second = tensors[inputs[0]].shape, tensors[inputs[1]].shape
    if first == second:
        return None
    if len(first) == len(second):
        if first != tensors[op.outputs[0]].shape and second != tensors[op.outputs[0]].shape:
            return f"{_text(first)} and {_text(second)} broadcast each other"
        return None
    small, large = sorted((first, second), key=len)
    if len(small) < 2:  # `CheckAddMulBroadcastCompatibility` looks at ranks of 2 and more.
        return None
    accepted = len(large) == 4 and (
        (len(small) == 3 and large[0] == 1) or small in ((1, 1), (large[0], large[3]))
    )
    return None if accepted else f"broadcasts {_text(small)} to {_text(large)}"


def _prelu(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if len(op.inputs) != 1 or not op.constants:
        return "alpha is not constant"
    shape = tensors[op.inputs[0]].shape
    alpha = math.prod(op.constants[0])
    if alpha not in (shape[-1], math.prod(shape[1:])):
        return f"alpha has {alpha} values for {shape[-1]} channels"
    return None


def _pad(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if len(op.inputs) != 1:
        return "paddings are computed at run time, not constant"
    if len(tensors[op.inputs[0]].shape) not in (3, 4):
        return "input is not of rank 3 or 4"
    if op.kind == "MIRROR_PAD" and op.attrs.get("mode", "REFLECT") != "REFLECT":
        return f"mirror padding {op.attrs['mode']}; the GPU has REFLECT only"
    return None


def _strided_slice(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    for mask in ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask"):
        if op.attrs.get(mask):
            hint = "; slice k:k+1 instead of indexing k" if mask == "shrink_axis_mask" else ""
            return f"{mask} {op.attrs[mask]}{hint}"
    if min(op.attrs.get("strides", (1,)), default=1) < 1:
        return f"strides {op.attrs['strides']}"
    return _slice(op, tensors)


def _slice(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if len(tensors[op.inputs[0]].shape) not in (3, 4):
        return "input is not of rank 3 or 4"
    return _one_runtime_input(op, tensors)


def _transpose(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if len(tensors[op.inputs[0]].shape) < 2:
        return "input is not of rank 2 to 4"
    return _one_runtime_input(op, tensors)


def _resize_bilinear(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    if op.attrs.get("align_corners") and op.attrs.get("half_pixel_centers"):
        return "align_corners together with half_pixel_centers"
    return _one_runtime_input(op, tensors)


def _block(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    block = op.attrs.get("block", 0)
    return None if block > 1 else f"block size {block}"


def _softmax(op: Op, tensors: tuple[Tensor, ...]) -> str | None:
    beta = op.attrs.get("beta", 1)
    return None if beta == 1 else f"beta {beta}; the GPU has 1 only"


_UNCHECKED = (
    "CONCATENATION", "CUMSUM", "GATHER", "ONE_HOT", "PACK", "SELECT", "SELECT_V2", "UNPACK",
)  # fmt: skip
_CHECKS: Mapping[str, Check | None] = {
    **dict.fromkeys(UNARY),
    **dict.fromkeys(_UNCHECKED),
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys(REDUCTIONS, _one_runtime_input),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _convolution),
    "TRANSPOSE_CONV": _transposed_convolution,
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _pad),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), _block),
    **dict.fromkeys(
        ("RESHAPE", "TILE", "SPLIT", "SPLIT_V", "RESIZE_NEAREST_NEIGHBOR"), _one_runtime_input
    ),
    "BATCH_MATMUL": _batch_matmul,
    "FULLY_CONNECTED": _fully_connected,
    "PRELU": _prelu,
    "RESIZE_BILINEAR": _resize_bilinear,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}

KNOWN_KINDS = frozenset(_CHECKS)
"""Op kinds of which the delegate runs at least some."""

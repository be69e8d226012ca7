"""Every rule by which the delegate refuses an op, and its accepted counterpart."""

import re

import pytest

from latency import Op, Tensor
from latency.support import refusal

IMAGE = (1, 8, 8, 12)


def check(kind, *inputs, out=IMAGE, constants=(), dtype="float32", **attrs):
    """The refusal of one op whose inputs have the given shapes."""
    tensors = tuple(Tensor(tuple(shape), dtype) for shape in (*inputs, out))
    ids = tuple(range(len(inputs)))
    return refusal(Op(kind, ids, (len(inputs),), tuple(constants), attrs), tensors)


CONV = ((12, 3, 3, 12), (12,))

ACCEPTED = [
    ("CONV_2D", [IMAGE], {"constants": CONV}),
    ("CONV_2D", [IMAGE], {"constants": CONV, "activation": "RELU6"}),
    ("CONV_2D", [IMAGE, (12, 3, 3, 12)], {}),
    ("CONV_2D", [IMAGE], {"constants": ((12, 3, 3, 4), (12,))}),  # three groups
    ("DEPTHWISE_CONV_2D", [IMAGE], {"constants": ((1, 3, 3, 12), (12,))}),
    ("TRANSPOSE_CONV", [(1, 4, 4, 6)], {"constants": ((12, 2, 2, 6),), "stride": (2, 2)}),
    ("FULLY_CONNECTED", [(1, 12)], {"constants": ((5, 12), (5,)), "out": (1, 5)}),
    ("ADD", [IMAGE, IMAGE], {}),
    ("MUL", [IMAGE, (1, 1, 1, 12)], {}),
    ("MUL", [IMAGE, (1, 12)], {}),
    ("MUL", [IMAGE, (1, 1)], {}),
    ("ADD", [IMAGE, (1, 8, 12)], {}),
    ("ADD", [IMAGE, (8, 8, 12)], {}),
    ("ADD", [IMAGE, (12,)], {}),
    ("MUL", [IMAGE], {"constants": ((),)}),
    ("PRELU", [IMAGE], {"constants": ((1, 1, 12),)}),
    ("PRELU", [IMAGE], {"constants": ((8, 8, 12),)}),
    ("PAD", [IMAGE], {"paddings": ((0, 0), (1, 1), (1, 1), (0, 0)), "out": (1, 10, 10, 12)}),
    ("MIRROR_PAD", [IMAGE], {"mode": "REFLECT"}),
    ("STRIDED_SLICE", [IMAGE], {"out": (1, 8, 8, 1), "begin_mask": 7, "strides": (1, 1, 1, 1)}),
    ("RESIZE_BILINEAR", [IMAGE], {"half_pixel_centers": True}),
    ("RESIZE_NEAREST_NEIGHBOR", [IMAGE], {"half_pixel_centers": True, "align_corners": True}),
    ("DEPTH_TO_SPACE", [IMAGE], {"block": 2, "out": (1, 16, 16, 3)}),
    ("SOFTMAX", [IMAGE], {"beta": 1.0}),
    ("MEAN", [IMAGE], {"axes": (1, 2), "out": (1, 1, 1, 12)}),
    ("TRANSPOSE", [IMAGE], {"perm": (0, 2, 1, 3)}),
    ("CAST", [IMAGE], {"dtype": "int32"}),
    ("GELU", [IMAGE], {}),
    ("RELU", [IMAGE], {"dtype": "int8"}),
    ("BATCH_MATMUL", [(1, 8, 12), (1, 12, 8)], {"out": (1, 8, 8)}),
    ("AVERAGE_POOL_2D", [IMAGE], {"kernel": (2, 2), "out": (1, 4, 4, 12)}),
]

REFUSED = [
    ("TOPK_V2", [IMAGE], {}, "no such op"),
    ("CONV_3D", [IMAGE], {}, "no such op"),
    ("CUSTOM:FlexErf", [IMAGE], {}, "no such op"),
    ("RELU", [()], {"out": ()}, "rank 0"),
    ("RELU", [(1, 2, 2, 2, 2)], {}, "rank 5"),
    ("RELU", [(-1, 8, 8, 12)], {}, "not fixed"),
    ("RELU", [(1, 0, 8, 12)], {}, "empty"),
    ("RELU", [IMAGE], {"dtype": "int32"}, "int32 tensor"),
    ("CAST", [IMAGE], {"dtype": "int64"}, "int64 tensor"),
    ("CONV_2D", [IMAGE], {"constants": CONV, "activation": "SIGN_BIT"}, "SIGN_BIT"),
    ("CONV_2D", [IMAGE], {}, "needs constant weights"),
    ("CONV_2D", [IMAGE], {"constants": ((12, 3, 3, 5),)}, "do not take 12 to 12"),
    ("CONV_2D", [IMAGE], {"constants": ((16, 3, 3, 12),)}, "do not take 12 to 12"),
    ("CONV_2D", [(1, 12)], {"constants": CONV}, "rank 4"),
    ("TRANSPOSE_CONV", [IMAGE], {"constants": CONV, "stride": (0, 0)}, "stride"),
    (
        "TRANSPOSE_CONV",
        [(1, 4, 4, 6)],
        {"constants": ((12, 2, 2, 6),), "stride": (2, 2), "activation": "RELU"},
        "activation fused",
    ),
    ("FULLY_CONNECTED", [(1, 12)], {"constants": ((12, 12),), "weights_format": "S"}, "shuffled"),
    ("FULLY_CONNECTED", [(1, 12)], {"constants": ((12, 12),), "keep_num_dims": True}, "ranks"),
    ("MUL", [(1, 8, 1, 12), (1, 1, 8, 12)], {}, "broadcast each other"),
    ("ADD", [IMAGE, (8, 12)], {}, "broadcasts 8x12"),
    ("ADD", [(2, 8, 8, 12), (8, 8, 12)], {"out": (2, 8, 8, 12)}, "broadcasts 8x8x12"),
    ("PRELU", [IMAGE, (1, 1, 12)], {}, "alpha is not constant"),
    ("PRELU", [IMAGE], {"constants": ((1,),)}, "alpha has 1 values for 12 channels"),
    ("PAD", [IMAGE, (4, 2)], {}, "run time"),
    ("PAD", [(8, 12)], {"paddings": ((0, 1), (0, 0))}, "rank 3 or 4"),
    ("MIRROR_PAD", [IMAGE], {"mode": "SYMMETRIC"}, "SYMMETRIC"),
    ("STRIDED_SLICE", [IMAGE], {"shrink_axis_mask": 8, "out": (1, 8, 8)}, r"slice k:k\+1"),
    ("STRIDED_SLICE", [IMAGE], {"new_axis_mask": 1}, "new_axis_mask"),
    ("STRIDED_SLICE", [IMAGE], {"ellipsis_mask": 1}, "ellipsis_mask"),
    ("STRIDED_SLICE", [IMAGE], {"strides": (1, -1, 1, 1)}, "strides"),
    ("SLICE", [(8, 12)], {}, "rank 3 or 4"),
    ("TRANSPOSE", [(12,)], {}, "rank 2 to 4"),
    ("RESIZE_BILINEAR", [IMAGE], {"half_pixel_centers": True, "align_corners": True}, "together"),
    ("RESIZE_NEAREST_NEIGHBOR", [IMAGE, (2,)], {}, "run time"),
    ("RESHAPE", [IMAGE, (4,)], {}, "run time"),
    ("MEAN", [IMAGE, (2,)], {}, "run time"),
    ("DEPTH_TO_SPACE", [IMAGE], {"block": 1}, "block size 1"),
    ("SOFTMAX", [IMAGE], {"beta": 2.0}, "beta 2.0"),
]


@pytest.mark.parametrize(("kind", "inputs", "more"), ACCEPTED)
def test_accepted(kind, inputs, more):
    assert check(kind, *inputs, **more) is None


@pytest.mark.parametrize(("kind", "inputs", "more", "reason"), REFUSED)
def test_refused(kind, inputs, more, reason):
    found = check(kind, *inputs, **more)
    assert found is not None
    assert re.search(reason, found)


def test_a_tensor_with_itself():
    image = Tensor(IMAGE)
    for kind in ("ADD", "MUL"):
        assert refusal(Op(kind, (0, 0), (1,)), (image, image)) is None
    for kind in ("SUB", "BATCH_MATMUL"):
        assert "same tensor" in refusal(Op(kind, (0, 0), (1,)), (image, image))

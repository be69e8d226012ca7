"""Graph rewrites before kernel selection: what disappears, and what must stay."""

import pytest
from latency_graphs import ADRENO_730, GraphBuilder, chains, kinds

from latency import lower


def lowered(builder, *outputs):
    return lower(builder.graph(*outputs), ADRENO_730)


def image(channels=8):
    return GraphBuilder((1, 16, 16, channels))


def test_fused_activation_is_the_same_as_a_separate_one():
    fused, separate = image(), image()
    a = lowered(fused, fused.conv(0, 8, activation="RELU"))
    b = lowered(separate, separate.unary("RELU", separate.conv(0, 8, activation="NONE")))
    assert a == b
    assert chains(a) == [("CONV_2D", "RELU")]


def test_identities_vanish():
    b = image()
    x = b.conv(0, 8)
    x = b.op("RESHAPE", x, (1, 16, 16, 8))
    x = b.op("STRIDED_SLICE", x, (1, 16, 16, 8), strides=(1, 1, 1, 1))
    x = b.op("SLICE", x, (1, 16, 16, 8))
    x = b.op("RESIZE_BILINEAR", x, (1, 16, 16, 8))
    x = b.concat(x)
    assert chains(lowered(b, b.unary("RELU", x))) == [("CONV_2D", "RELU")]


def test_identity_before_the_output_vanishes():
    b = image()
    x = b.op("RESHAPE", b.conv(0, 8), (1, 16, 16, 8))
    assert chains(lowered(b, x)) == [("CONV_2D",)]


def test_identity_between_input_and_output_stays():
    b = image()
    assert kinds(lowered(b, b.op("RESHAPE", 0, (1, 16, 16, 8)))) == ["reshape_aligned"]


def test_dropping_unit_dimensions_is_an_identity():
    b = GraphBuilder((1, 1, 1, 8))
    x = b.op("RESHAPE", b.conv(0, 8, 1), (1, 8))
    x = b.op("FULLY_CONNECTED", x, (1, 8), ((8, 8), (8,)))
    assert kinds(lowered(b, x)) == ["fully_connected", "fully_connected"]


@pytest.mark.parametrize("follower", ["conv", "depthwise", "pool"])
def test_zero_padding_merges_into_the_follower(follower):
    b = image()
    x = b.pad(0)
    if follower == "conv":
        x = b.conv(x, 8, padding="VALID")
    elif follower == "depthwise":
        x = b.depthwise(x, padding="VALID")
    else:
        x = b.op("MAX_POOL_2D", x, (1, 9, 9, 8), kernel=(2, 2), stride=(2, 2), padding="VALID")
    lowering = lowered(b, x)
    assert len(chains(lowering)) == 1
    # The follower reads the unpadded image.
    assert lowering.kernels[1].read_bytes == 16 * 16 * 8 * 2
    assert lowering.kernels[1].ops == (0, 1)


@pytest.mark.parametrize("pad", [{"channels": (0, 4)}, {"kind": "MIRROR_PAD"}, {"kind": "PADV2"}])
def test_other_padding_stays(pad):
    b = image()
    x = b.pad(0, **pad)
    assert kinds(lowered(b, b.conv(x, 8, padding="VALID"))) == ["pad", "conv_constants"]


def test_padding_read_twice_stays():
    b = image()
    x = b.pad(0)
    y = b.concat(b.conv(x, 8, padding="VALID"), b.conv(x, 8, padding="VALID"))
    assert kinds(lowered(b, y))[0] == "pad"


def test_merged_padding_makes_a_special_depthwise():
    b = image()
    x = b.depthwise(b.pad(0), padding="VALID")
    assert kinds(lowered(b, x)) == ["depthwise_3x3"]


def test_batch_norm_after_a_convolution_is_free():
    b = image()
    x = b.constant("ADD", b.constant("MUL", b.conv(0, 8)))
    lowering = lowered(b, b.unary("RELU", x))
    assert chains(lowering) == [("CONV_2D", "RELU")]
    assert lowering.kernels[1].ops == (0, 1, 2, 3)


@pytest.mark.parametrize("shape", [(), (1,), (8,), (1, 1, 1, 8)])
def test_scalars_and_channel_vectors_merge(shape):
    b = image()
    assert chains(lowered(b, b.constant("MUL", b.conv(0, 8), shape))) == [("CONV_2D",)]


def test_a_full_constant_does_not_merge_but_fuses():
    b = image()
    x = b.constant("MUL", b.conv(0, 8), (1, 16, 16, 8))
    assert chains(lowered(b, x)) == [("CONV_2D", "MUL")]


def test_a_constant_does_not_reach_past_an_activation():
    b = image()
    x = b.constant("MUL", b.unary("RELU", b.conv(0, 8)))
    assert chains(lowered(b, x)) == [("CONV_2D", "RELU", "MUL")]


def test_a_convolution_read_twice_keeps_its_constant():
    b = image()
    x = b.conv(0, 8)
    y = b.concat(b.constant("MUL", x), x)
    assert chains(lowered(b, y)) == [("CONV_2D",), ("MUL",), ("CONCATENATION",)]


def test_a_convolution_that_is_an_output_keeps_its_constant():
    b = image()
    x = b.conv(0, 8)
    assert chains(lowered(b, x, b.constant("MUL", x))) == [("CONV_2D",), ("MUL",)]


def test_scaling_before_a_convolution_merges():
    b = image()
    x = b.conv(b.constant("MUL", 0), 8)
    assert chains(lowered(b, x)) == [("CONV_2D",)]


def test_shift_before_a_padded_convolution_stays():
    b = image()
    assert chains(lowered(b, b.conv(b.constant("ADD", 0), 8))) == [("ADD",), ("CONV_2D",)]


def test_scale_and_shift_before_an_unpadded_convolution_merge():
    b = image()
    x = b.conv(b.constant("ADD", b.constant("MUL", 0)), 8, padding="VALID")
    lowering = lowered(b, x)
    assert chains(lowering) == [("CONV_2D",)]
    assert lowering.kernels[1].ops == (0, 1, 2)


def test_subtraction_never_merges():
    b = image()
    assert chains(lowered(b, b.constant("SUB", b.conv(0, 8)))) == [("CONV_2D", "SUB")]


def test_a_tensor_with_itself_becomes_unary():
    b = image()
    x = b.conv(0, 8)
    assert chains(lowered(b, b.binary("MUL", x, x))) == [("CONV_2D", "SQUARE")]
    b = image()
    x = b.conv(0, 8)
    assert chains(lowered(b, b.binary("ADD", x, x))) == [("CONV_2D", "MUL")]


def test_weights_always_carry_a_bias():
    with_bias, without = image(), image()
    a = lowered(with_bias, with_bias.conv(0, 8))
    x = without.op("CONV_2D", 0, (1, 16, 16, 8), ((8, 3, 3, 8),), stride=(1, 1), padding="SAME")
    assert a == lowered(without, x)
    assert a.kernels[1].weight_bytes == (9 * 8 * 8 + 8) * 2

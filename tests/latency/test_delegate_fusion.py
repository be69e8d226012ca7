"""Element-wise fusion, rule by rule."""

from latency_graphs import ADRENO_730, GraphBuilder, chains, kinds

from latency import lower

PIXELS = 16 * 16


def lowered(builder, *outputs):
    return lower(builder.graph(*outputs), ADRENO_730)


def image(channels=8):
    return GraphBuilder((1, 16, 16, channels))


def test_a_chain_of_activations_is_one_kernel():
    b = image()
    x = b.unary("TANH", b.unary("ABS", b.unary("RELU", b.conv(0, 8))))
    assert chains(lowered(b, x)) == [("CONV_2D", "RELU", "ABS", "TANH")]


def test_residual_add_joins_the_later_branch():
    #   conv a ----------\
    #     \-- conv b -- ADD -- RELU        (ADD reads a first in the file)
    b = image()
    a = b.conv(0, 8)
    x = b.unary("RELU", b.binary("ADD", a, b.conv(a, 8)))
    lowering = lowered(b, x)
    assert chains(lowering) == [("CONV_2D",), ("CONV_2D", "ADD", "RELU")]
    # One extra read, of the skip tensor.
    assert lowering.kernels[2].read_bytes == 2 * PIXELS * 8 * 2
    assert lowering.kernels[2].write_bytes == PIXELS * 8 * 2


def test_add_of_two_branches_joins_the_one_written_last():
    for swap in (False, True):
        b = image()
        first, second = b.conv(0, 8), b.depthwise(0)
        x = b.binary("ADD", *((second, first) if swap else (first, second)))
        assert chains(lowered(b, x)) == [("CONV_2D",), ("DEPTHWISE_CONV_2D", "ADD")]


def test_subtraction_joins_its_first_input_when_the_other_is_ready():
    b = image()
    first, second = b.conv(0, 8), b.conv(0, 8)
    assert chains(lowered(b, b.binary("SUB", second, first))) == [("CONV_2D",), ("CONV_2D", "SUB")]


def test_subtraction_waits_for_a_later_second_input():
    b = image()
    first, second = b.conv(0, 8), b.conv(0, 8)
    lowering = lowered(b, b.binary("SUB", first, second))
    assert chains(lowering) == [("CONV_2D",), ("CONV_2D",), ("SUB",)]


def test_an_output_read_twice_absorbs_nothing():
    b = image()
    x = b.conv(0, 8)
    y = b.concat(b.unary("RELU", x), x)
    assert chains(lowered(b, y)) == [("CONV_2D",), ("RELU",), ("CONCATENATION",)]


def test_a_graph_output_absorbs_nothing():
    b = image()
    x = b.conv(0, 8)
    y = b.unary("RELU", x)
    assert chains(lowered(b, x, y)) == [("CONV_2D",), ("RELU",)]


def test_channel_attention():
    # The gated tensor is read twice, so the product is a kernel of its own; what
    # follows the product joins it.
    b = image()
    x = b.conv(0, 8)
    gate = b.unary("LOGISTIC", b.conv(b.mean(x), 8, 1))
    x = b.unary("RELU", b.binary("MUL", x, gate))
    assert chains(lowered(b, x)) == [
        ("CONV_2D",),
        ("MEAN",),
        ("CONV_2D", "LOGISTIC"),
        ("MUL", "RELU"),
    ]


def test_gate_written_first_in_the_file_is_swapped_behind_the_image():
    b = image()
    gate = b.unary("LOGISTIC", b.conv(b.mean(0), 8, 1))
    x = b.conv(0, 8)
    lowering = lowered(b, b.binary("MUL", gate, x))
    assert chains(lowering)[-1] == ("CONV_2D", "MUL")


def test_a_broadcast_first_input_cannot_be_fused():
    b = image()
    mask = b.conv(0, 1)  # one channel
    x = b.conv(0, 8)
    y = b.op("SUB", (mask, x), (1, 16, 16, 8))
    lowering = lowered(b, y)
    assert kinds(lowering)[-1] == "broadcast"
    assert chains(lowering)[-1] == ("SUB",)


def test_spatial_attention_multiplies_by_one_channel():
    b = image()
    mask = b.conv(0, 1)
    assert chains(lowered(b, b.binary("MUL", b.conv(0, 8), mask))) == [
        ("CONV_2D",),
        ("CONV_2D", "MUL"),
    ]


def test_swish_is_one_kernel_with_its_convolution():
    b = image()
    x = b.conv(0, 8)
    y = b.binary("MUL", x, b.unary("LOGISTIC", x))
    lowering = lowered(b, y)
    assert chains(lowering) == [("CONV_2D", "LOGISTIC", "MUL")]
    assert lowering.kernels[1].read_bytes == PIXELS * 8 * 2
    assert lowering.kernels[1].ops == (0, 1, 2)


def test_a_diamond_of_two_functions_collapses():
    b = image()
    x = b.conv(0, 8)
    y = b.binary("MUL", b.unary("TANH", x), b.unary("LOGISTIC", x))
    (chain,) = chains(lowered(b, y))
    assert chain[0] == "CONV_2D"
    assert sorted(chain[1:3]) == ["LOGISTIC", "TANH"]
    assert chain[3] == "MUL"


def test_diamonds_nest():
    # swish(relu(x)) * x: the inner diamond, once closed, is a function of relu(x) alone.
    b = image()
    x = b.conv(0, 8)
    inner = b.unary("RELU", x)
    swish = b.binary("MUL", inner, b.unary("LOGISTIC", inner))
    lowering = lowered(b, b.binary("MUL", x, swish))
    assert chains(lowering) == [("CONV_2D", "RELU", "LOGISTIC", "MUL", "MUL")]


def test_a_diamond_read_elsewhere_stays_open():
    b = image()
    x = b.conv(0, 8)
    sigmoid = b.unary("LOGISTIC", x)
    y = b.concat(b.binary("MUL", x, sigmoid), sigmoid)
    assert chains(lowered(b, y)) == [
        ("CONV_2D",),
        ("LOGISTIC",),
        ("MUL",),
        ("CONCATENATION",),
    ]


def test_a_diamond_through_a_graph_output_stays_open():
    b = image()
    x = b.conv(0, 8)
    sigmoid = b.unary("LOGISTIC", x)
    lowering = lowered(b, sigmoid, b.binary("MUL", x, sigmoid))
    assert chains(lowering) == [("CONV_2D",), ("LOGISTIC",), ("MUL",)]


def test_nothing_joins_what_is_not_element_wise():
    b = image()
    x = b.depth_to_space(b.conv(0, 8))
    x = b.conv(x, 8)
    x = b.op("MAX_POOL_2D", x, (1, 16, 16, 8), kernel=(2, 2), stride=(2, 2))
    assert chains(lowered(b, x)) == [
        ("CONV_2D",),
        ("DEPTH_TO_SPACE",),
        ("CONV_2D",),
        ("MAX_POOL_2D",),
    ]


def test_activation_joins_a_data_movement():
    b = image()
    x = b.unary("RELU", b.depth_to_space(0))
    assert chains(lowered(b, x)) == [("DEPTH_TO_SPACE", "RELU")]


def test_prelu_carries_its_slopes():
    b = image()
    x = b.unary("PRELU", b.conv(0, 8), ((1, 1, 8),))
    assert lowered(b, x).kernels[1].weight_bytes == (9 * 8 * 8 + 8 + 8) * 2

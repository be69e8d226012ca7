"""Only the largest supported partition reaches the GPU."""

from latency_graphs import ADRENO_730, GraphBuilder, chains, kinds

from latency import lower


def refused(builder, x):
    """An op the delegate does not have."""
    return builder.unary("ROUND", x)


def test_all_supported_is_one_partition():
    b = GraphBuilder((1, 8, 8, 4))
    lowering = lower(b.graph(b.conv(0, 8)), ADRENO_730)
    assert lowering.fallbacks == ()


def test_nothing_supported_leaves_no_kernels():
    b = GraphBuilder((1, 8, 8, 4))
    lowering = lower(b.graph(refused(b, 0)), ADRENO_730)
    assert lowering.kernels == ()
    assert [f.kind for f in lowering.fallbacks] == ["ROUND"]


def test_an_empty_graph_is_nothing():
    b = GraphBuilder((1, 8, 8, 4))
    assert lower(b.graph(0), ADRENO_730).kernels == ()


def test_the_larger_side_of_a_refused_op_wins():
    # conv | ROUND | conv, relu, depth_to_space
    b = GraphBuilder((1, 8, 8, 4))
    x = refused(b, b.conv(0, 12))
    y = b.depth_to_space(b.unary("RELU", b.conv(x, 12)))
    lowering = lower(b.graph(y), ADRENO_730)
    assert [(f.op_index, f.kind) for f in lowering.fallbacks] == [(0, "CONV_2D"), (1, "ROUND")]
    assert "largest partition" in lowering.fallbacks[0].reason
    assert lowering.fallbacks[1].reason == "the GPU delegate has no such op"
    assert chains(lowering) == [("CONV_2D", "RELU"), ("DEPTH_TO_SPACE",)]
    # The partition's own input and output are converted, not the graph's input.
    assert [k.output_shape for k in lowering.kernels if not k.chain] == [
        (1, 8, 8, 12),
        (1, 16, 16, 3),
    ]


def test_fallback_work_is_counted():
    # The first conv stays on the CPU: 8*8*9*4*12 MACs; 64*4 and 64*12 fp16 values.
    b = GraphBuilder((1, 8, 8, 4))
    y = b.depth_to_space(b.conv(refused(b, b.conv(0, 12)), 12))
    fallback = lower(b.graph(y), ADRENO_730).fallbacks[0]
    assert fallback.macs == 64 * 9 * 4 * 12
    assert fallback.bytes == 64 * (4 + 12) * 2


def test_independent_branches_share_a_partition():
    # ROUND waits on the first conv only, so both branches' convs are one partition
    # with what precedes it, and the ops behind ROUND are another.
    b = GraphBuilder((1, 8, 8, 4))
    left = b.conv(0, 8)
    middle = refused(b, left)
    right = b.conv(b.conv(0, 8), 8)
    y = b.binary("ADD", middle, right)
    lowering = lower(b.graph(y), ADRENO_730)
    assert kinds(lowering) == ["conv_constants"] * 3
    assert [f.kind for f in lowering.fallbacks] == ["ROUND", "ADD"]
    # Two tensors leave for the CPU: what ROUND and what ADD read.
    assert [k.kind for k in lowering.kernels].count("output_conversion") == 2


def test_the_first_of_equal_partitions_wins():
    b = GraphBuilder((1, 8, 8, 4))
    y = b.conv(refused(b, b.conv(0, 8)), 8)
    assert [f.op_index for f in lower(b.graph(y), ADRENO_730).fallbacks] == [1, 2]

"""Op by op: the kernel, the role in it, and the reason."""

import pytest
from latency_graphs import ADRENO_730, MALI_G78, GraphBuilder, syenet

from latency import lower
from latency.explain import explain, kernel_title


def told(build, gpu=ADRENO_730, shape=(1, 64, 64, 4)):
    b = GraphBuilder(shape)
    return explain(b.graph(build(b)), gpu)


def test_every_op_is_accounted_for():
    graph = syenet(64, 64)
    found = explain(graph, ADRENO_730)
    assert found.lowering == lower(graph, ADRENO_730)
    assert [op.index for op in found.ops] == list(range(len(graph.ops)))
    assert {op.role for op in found.ops} == {"heads", "joins"}
    for op in found.ops:
        for number in op.kernels:
            assert op.index in found.lowering.kernels[number].ops
    computed = {i for op in found.ops for i in op.kernels}
    conversions = {0, len(found.lowering.kernels) - 1}
    assert computed | conversions == set(range(len(found.lowering.kernels)))
    assert sum(found.kernel_counts.values()) == len(found.lowering.kernels)


def test_a_fused_activation_joins_its_convolution():
    conv, relu = told(lambda b: b.unary("RELU", b.conv(0, 12))).ops
    assert (conv.role, relu.role) == ("heads", "joins")
    assert conv.kernels == relu.kernels
    assert conv.why == "864 B of weights fit 3584 B of constant memory"


@pytest.mark.parametrize(
    ("gpu", "shape", "build", "why"),
    [
        (ADRENO_730, (1, 64, 64, 16), lambda b: b.conv(0, 16), "4608 B of weights > 3584 B"),
        (ADRENO_730, (1, 64, 64, 4), lambda b: b.conv(0, 40), "40 > 32 output channels"),
        (ADRENO_730, (1, 64, 64, 128), lambda b: b.conv(0, 128), "32 to 32 slices, 256 tiles"),
        (MALI_G78, (1, 8, 8, 64), lambda b: b.conv(0, 64), "no Winograd: 16 to 16 slices"),
        (MALI_G78, (1, 64, 64, 4), lambda b: b.depthwise(0), "valhall-2 has no special 3x3"),
        (ADRENO_730, (1, 64, 64, 4), lambda b: b.depthwise(0, kernel=5), "5x5; the special"),
        (ADRENO_730, (1, 64, 64, 6), lambda b: b.concat(0, b.conv(0, 4)), "no multiple of 4"),
    ],
)
def test_reasons(gpu, shape, build, why):
    assert why in told(build, gpu, shape).ops[-1].why


def test_a_refused_op_says_why_and_what_vanishes_says_so():
    found = told(lambda b: b.op("TOPK_V2", (b.unary("RELU", b.conv(0, 4)),), (1, 64, 64, 4)))
    assert found.ops[-1].role == "CPU"
    assert found.ops[-1].refusal == "the GPU delegate has no such op"
    same = told(lambda b: b.unary("RELU", b.op("RESHAPE", (b.conv(0, 4),), (1, 64, 64, 4))))
    assert same.ops[1].role == "vanishes"
    assert same.ops[1].kernels == ()


def test_weights_that_are_computed_need_no_reason():
    b = GraphBuilder((1, 8, 8, 4), (8, 3, 3, 4))
    graph = b.graph(b.op("CONV_2D", (0, 1), (1, 8, 8, 8), constants=((8,),)))
    (op,) = explain(graph, ADRENO_730).ops
    assert (op.role, op.why) == ("heads", "")
    assert graph.macs == 8 * 8 * 8 * 3 * 3 * 4


def test_kernel_titles():
    found = told(lambda b: b.unary("TANH", b.conv(0, 12)))
    titles = [kernel_title(kernel) for kernel in found.lowering.kernels]
    assert titles == ["input_conversion", "conv_constants: CONV_2D + TANH", "output_conversion"]

"""Whole networks: published ones by their known figures, random ones by invariants."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latency_graphs import (
    ADRENO_730,
    MALI_G76,
    MALI_G78,
    GraphBuilder,
    chains,
    kinds,
    mialgo,
    syenet,
)

from latency import Graph, GraphError, LatencyOracle, Op, Tensor, lower
from latency.kernel import CONVERSIONS


def test_mialgo_figures():
    graph = mialgo()
    lowering = lower(graph, ADRENO_730)
    assert chains(lowering) == [
        ("CONV_2D", "TANH"),
        ("CONV_2D", "RELU"),
        ("CONV_2D",),
        ("DEPTH_TO_SPACE",),
    ]
    assert kinds(lowering) == ["conv_constants"] * 3 + ["depth_to_space"]
    # 544*960 pixels; 9 taps of 4*12 + 12*12 + 12*12.
    assert graph.macs == lowering.padded_macs == 544 * 960 * 9 * (4 * 12 + 2 * 12 * 12)
    assert lowering.padded_macs / 1e9 == pytest.approx(1.5793, abs=5e-5)
    # Channels moved a pixel: 4+12, 12+12, 12+12, 12 + 4*4 (three padded to four).
    assert lowering.activation_bytes == 544 * 960 * (16 + 24 + 24 + 28) * 2
    assert lowering.activation_bytes / 1e9 == pytest.approx(0.0961, abs=5e-5)


def test_syenet_figures():
    graph = syenet()
    lowering = lower(graph, ADRENO_730)
    assert graph.parameters == 5640
    assert graph.macs / 1e9 == pytest.approx(2.851, abs=5e-4)
    assert lowering.padded_macs / 1e9 == pytest.approx(2.983, abs=5e-4)
    assert lowering.activation_bytes / 1e9 == pytest.approx(0.234, abs=5e-4)
    assert chains(lowering) == [
        ("CONV_2D", "PRELU"),
        ("CONV_2D",),
        ("CONV_2D", "MUL", "ADD"),
        ("CONV_2D",),
        ("CONV_2D", "MUL", "ADD"),
        ("MEAN",),
        ("CONV_2D", "PRELU"),
        ("CONV_2D", "LOGISTIC"),
        ("MUL",),
        ("DEPTH_TO_SPACE",),
        ("CONV_2D",),
    ]


def test_equality_ignores_where_a_kernel_came_from():
    graph = mialgo(8, 8)
    fused = Graph(
        graph.tensors,
        tuple(
            Op(op.kind, op.inputs, (op.outputs[0] + 1,), op.constants, {"activation": "TANH"})
            if i == 0
            else op
            for i, op in enumerate(graph.ops)
            if i != 1
        ),
        graph.inputs,
        graph.outputs,
    )
    a, b = lower(graph, ADRENO_730), lower(fused, ADRENO_730)
    assert a == b
    assert [k.ops for k in a.kernels] != [k.ops for k in b.kernels]


def test_reading_an_unwritten_tensor_is_an_error():
    graph = Graph((Tensor((1, 4)),) * 3, (Op("RELU", (1,), (2,)),), (0,), (2,))
    with pytest.raises(GraphError, match="op 0 RELU reads tensor 1"):
        lower(graph, ADRENO_730)


def random_step(draw, b, images):
    """Append one random op to `b`, reading one or two of `images`."""
    # The last image more often than not, so that chains grow.
    x = images[-1] if draw(st.booleans()) else draw(st.sampled_from(images))
    n, h, w, c = b.shape(x)
    channels = draw(st.integers(1, 80))
    same = [t for t in images if b.shape(t) == (n, h, w, c)]
    gates = [t for t in images if b.shape(t) == (1, 1, 1, c)]
    steps = {
        "conv": lambda: b.conv(x, channels, draw(st.sampled_from([1, 3, 5]))),
        "strided": lambda: b.conv(x, channels, 3, 2),
        "depthwise": lambda: b.depthwise(x, draw(st.sampled_from([3, 5]))),
        "transposed": lambda: b.transposed_conv(x, channels),
        "unary": lambda: b.unary(draw(st.sampled_from(["RELU", "TANH", "LOGISTIC"])), x),
        "constant": lambda: b.constant(draw(st.sampled_from(["ADD", "MUL", "SUB"])), x),
        "binary": lambda: b.binary(
            draw(st.sampled_from(["ADD", "MUL", "SUB"])),
            *draw(st.permutations([x, draw(st.sampled_from(same))])),
        ),
        "gate": lambda: b.binary("MUL", x, draw(st.sampled_from(gates or [x]))),
        "mean": lambda: b.mean(x),
        "concat": lambda: b.concat(x, draw(st.sampled_from(same))),
        "pad": lambda: b.conv(b.pad(x), channels, padding="VALID"),
        "reshape": lambda: b.op("RESHAPE", x, (n, h, w, c)),
        "flat": lambda: b.op("RESHAPE", x, (n, 1, h * w, c)),
        "refused": lambda: b.unary("ROUND", x),
    }
    return steps[draw(st.sampled_from(sorted(steps)))]()


@st.composite
def networks(draw):
    """Random networks of convolutions, element-wise ops, data movement and refused ops."""
    size = draw(st.sampled_from([4, 8, 16]))
    b = GraphBuilder((1, size, size, draw(st.integers(1, 40))))
    images = [0]
    for _ in range(draw(st.integers(1, 14))):
        images.append(random_step(draw, b, images))
    outputs = draw(st.lists(st.sampled_from(images[1:]), min_size=1, max_size=2, unique=True))
    return b.graph(*outputs)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(graph=networks(), gpu=st.sampled_from([ADRENO_730, MALI_G76, MALI_G78]))
def test_every_op_is_somewhere_exactly_once(graph, gpu):
    lowering = lower(graph, gpu)
    on_cpu = [fallback.op_index for fallback in lowering.fallbacks]
    # Kernels of one node (Winograd's three) carry the same ops: count each set once.
    on_gpu = [i for ops in dict.fromkeys(k.ops for k in lowering.kernels) for i in ops]
    assert len(set(on_cpu)) == len(on_cpu)
    assert len(set(on_gpu)) == len(on_gpu)
    assert not set(on_cpu) & set(on_gpu)
    # What is nowhere computes nothing: a reshape to the same shape.
    nowhere = set(range(len(graph.ops))) - set(on_cpu) - set(on_gpu)
    assert all(graph.ops[i].kind == "RESHAPE" for i in nowhere)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graph=networks(), gpu=st.sampled_from([ADRENO_730, MALI_G78]))
def test_work_is_conserved(graph, gpu):
    lowering = lower(graph, gpu)
    kernels = lowering.kernels
    assert all(k.read_bytes > 0 and k.write_bytes > 0 and k.work_items > 0 for k in kernels)
    if lowering.fallbacks:
        return
    if not any(kind.startswith("winograd") for kind in kinds(lowering)):
        assert lowering.padded_macs >= graph.macs
    written = [k.output_shape for k in kernels if k.kind == "output_conversion"]
    assert sorted(written) == sorted(graph.tensors[t].shape for t in graph.outputs)
    assert len(kernels) - len(graph.outputs) - 1 <= 3 * len(graph.ops)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(graph=networks())
def test_lowering_and_prediction_are_deterministic(graph):
    oracle = LatencyOracle("snapdragon-8-gen-1")
    assert lower(graph, ADRENO_730) == lower(graph, ADRENO_730)
    estimate = oracle.predict(graph)
    assert estimate == oracle.predict(graph)
    assert 0 < estimate.low_ms < estimate.ms < estimate.high_ms


def test_conversions_are_first_and_last():
    found = [k.kind for k in lower(mialgo(8, 8), ADRENO_730).kernels]
    assert found[0] == "input_conversion"
    assert found[-1] == "output_conversion"
    assert set(found[1:-1]).isdisjoint(CONVERSIONS)

"""Graphs no converter would write: a finite estimate or a `GraphError`, for every device."""

import dataclasses
import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency import Graph, GraphError, LatencyOracle, Op, Tensor, device_names
from latency.consistency import check_ops
from latency.explain import explain
from latency.gpu_names import gpu_named
from latency.graph import check_graph
from latency.support import KNOWN_KINDS

ORACLES = [LatencyOracle(name) for name in device_names()]
CPU = dataclasses.replace(ORACLES[0].profile, gpu=gpu_named("cpu"))
ORACLES.append(LatencyOracle(CPU))

sizes = st.sampled_from([-1, 0, 1, 2, 3, 4, 7, 16, 64, 2**16, 2**31 - 1])
shapes = st.one_of(
    st.tuples(st.just(1), *[st.sampled_from([1, 2, 4, 8])] * 3),
    st.lists(sizes, max_size=6).map(tuple),
)
pairs = st.tuples(st.integers(-1, 4), st.integers(-1, 4))
small = st.integers(-5, 5)
ATTRIBUTES = {
    "stride": pairs,
    "dilation": pairs,
    "kernel": pairs,
    "padding": st.sampled_from(["SAME", "VALID"]),
    "activation": st.sampled_from(["RELU", "TANH", "SIGN_BIT"]),
    "block": st.integers(-2, 4),
    "axis": small,
    "axes": st.lists(small, max_size=5).map(tuple),
    "keep_dims": st.booleans(),
    "keep_num_dims": st.booleans(),
    "paddings": st.lists(pairs, max_size=5).map(tuple),
    "begin": st.lists(small, max_size=5).map(tuple),
    "end": st.lists(small, max_size=5).map(tuple),
    "strides": st.lists(small, max_size=5).map(tuple),
    "shrink_axis_mask": st.integers(0, 15),
    "perm": st.lists(small, max_size=5).map(tuple),
    "size": st.lists(small, max_size=3).map(tuple),
    "shape": st.lists(small, max_size=5).map(tuple),
    "alpha": st.floats(),
    "beta": st.floats(),
    "align_corners": st.booleans(),
    "half_pixel_centers": st.booleans(),
}


@st.composite
def graphs(draw):
    tensors = [Tensor(draw(shapes))]
    ops = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from((*sorted(KNOWN_KINDS), "TOPK_V2", "CUSTOM:X")))
        known = st.integers(0, len(tensors) - 1)
        inputs = tuple(draw(st.lists(known, max_size=3)))
        outputs = tuple(range(len(tensors), len(tensors) + draw(st.integers(0, 2))))
        same = tensors[inputs[0]].shape if inputs else (1,)
        dtype = st.sampled_from(["float32", "float32", "int32", "int8", "string"])
        tensors += [Tensor(draw(st.one_of(st.just(same), shapes)), draw(dtype)) for _ in outputs]
        names = draw(st.sets(st.sampled_from(sorted(ATTRIBUTES)), max_size=6))
        attrs = {name: draw(ATTRIBUTES[name]) for name in sorted(names)}
        constants = tuple(draw(st.lists(shapes, max_size=3)))
        ops.append(Op(kind, inputs, outputs, constants, attrs))
    last = draw(st.integers(0, len(tensors) - 1))
    return Graph(tuple(tensors), tuple(ops), (0,), (last,))


def flaw_of(graph):
    """What `read_tflite` would say of this graph, which it would not return."""
    try:
        check_ops(graph)
        check_graph(graph)
    except GraphError as error:
        return str(error)
    return None


@settings(
    max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(graph=graphs())
def test_any_graph_gives_a_finite_estimate_or_a_typed_error(graph):
    found = flaw_of(graph)
    if found:
        assert re.match(r"op \d+ [A-Z]|graph output", found)
        return
    assert graph.macs >= 0 or any(-1 in tensor.shape for tensor in graph.tensors)
    for oracle in ORACLES:
        estimate = oracle.predict(graph)
        assert math.isfinite(estimate.ms)
        assert 0 <= estimate.low_ms <= estimate.ms <= estimate.high_ms
        assert len(explain(graph, oracle.profile.gpu).ops) == len(graph.ops)


def test_a_graph_of_nothing_costs_a_run():
    nothing = Graph((Tensor((1, 2, 2, 3)),), (), (0,), (0,))
    for oracle in ORACLES:
        assert oracle.predict(nothing).ms == pytest.approx(oracle.predict(nothing).fixed_ms)

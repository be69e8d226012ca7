"""Whole .tflite files that no converter would write: an estimate or a typed error, anywhere."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tflite_tables import INT8, FileBuilder, packed

from latency import GraphError, LatencyOracle, TFLiteError, device_names, lower, read_tflite
from latency.explain import explain
from latency.gpu_names import gpu_named

ORACLES = [LatencyOracle(name) for name in device_names()]
CPU = dataclasses.replace(ORACLES[0].profile, gpu=gpu_named("cpu"))
ORACLES.append(LatencyOracle(CPU))

IMAGE = (1, 8, 8, 4)
HUGE = 2**31 - 1
numbers = st.sampled_from([-(2**31), -9, -2, -1, 0, 1, 2, 3, 4, 5, 16, 17, 2**16, HUGE])


def priced(data):
    """The graph of a file after everything a user does with it, all devices included."""
    graph = read_tflite(data)
    for oracle in ORACLES:
        lower(graph, oracle.profile.gpu)
        estimate = oracle.predict(graph)
        assert math.isfinite(estimate.ms)
        assert 0 <= estimate.low_ms <= estimate.ms <= estimate.high_ms
        assert all(note.isprintable() for note in estimate.notes)
        assert len(explain(graph, oracle.profile.gpu).ops) == len(graph.ops)
    return graph


def refusal_of(data):
    """The message of a typed error; empty where there is none."""
    try:
        priced(data)
    except GraphError as error:
        return str(error)
    return ""


def file_of(kind, *arguments, source=IMAGE, target=IMAGE, options=None, **fields):
    """One op from an input to an output, its other inputs constant integers."""
    b = FileBuilder(source)
    constants = [b.integers(*values) for values in arguments]
    y = b.tensor(target)
    b.op(kind, [0, *constants], [y], options, **fields)
    return b.file(y)


def convolution(weights=(4, 3, 3, 4), target=IMAGE, **fields):
    b = FileBuilder(IMAGE)
    y = b.tensor(target)
    constants = [b.constant(weights), b.constant((4,))]
    b.op("CONV_2D", [0, *constants], [y], "Conv2D", **{"strideH": 1, "strideW": 1, **fields})
    return b.file(y)


def wired(*wires, outputs=(1,)):
    """Element-wise ops (inputs, outputs) over the graph input 0 and three more tensors."""
    b = FileBuilder(IMAGE)
    for _ in range(3):
        b.tensor(IMAGE)
    for sources, targets in wires:
        b.op("ADD" if len(sources) > 1 else "RELU", sources, targets)
    return b.file(*outputs)


def test_the_made_files_are_sound_where_nothing_is_changed():
    assert [op.kind for op in priced(convolution()).ops] == ["CONV_2D"]
    assert len(priced(wired(([0], [1]), ([0, 1], [2]), outputs=(2,))).ops) == 2
    assert priced(file_of("MEAN", (1, 2), target=(1, 4))).ops[0].attrs["axes"] == (1, 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wired(([9], [1])), "op 0 RELU inputs: no tensor 9"),
        (wired(([-2], [1])), "op 0 RELU inputs: no tensor -2"),
        (wired(([0], [9])), "op 0 RELU outputs: no tensor 9"),
        (wired(([2], [1]), ([1], [2])), "op 0 RELU reads tensor 1 before it is written"),
        (wired(([0], [1]), ([0], [1])), "op 1 RELU writes tensor 1, which has a value"),
        (wired(([0], [1, 1])), "op 0 RELU writes tensor 1, which has a value"),
        (wired(([0], [0])), "op 0 RELU writes tensor 0, which has a value"),
        (wired(([0], [1]), outputs=(3,)), "graph output 2 is never written"),
        (convolution(strideH=0), r"op 0 CONV_2D: stride \(0, 1\)"),
        (convolution(dilationWFactor=0), r"op 0 CONV_2D: dilation \(1, 0\)"),
        (convolution(padding=-1), "op 0 CONV_2D: unknown option value -1"),
        (convolution(fusedActivationFunction=99), "op 0 CONV_2D: unknown option value 99"),
        (convolution(weights=(8, 3, 3, 4)), "op 0 CONV_2D: 8x3x3x4 weights do not take 4 to 4"),
        (convolution(weights=(4, 3, 3)), "op 0 CONV_2D: no weights of rank 4"),
        (convolution(target=(8, 8, 4)), "op 0 CONV_2D: 1x8x8x4 to 8x8x4 is no image"),
        (file_of("PAD", (1, 2, 3)), "op 0 PAD paddings: 3 values, not pairs"),
        (file_of("PAD", (0, 0, -1, 1, 0, 0, 0, 0)), "op 0 PAD: a negative padding"),
        (file_of("ARG_MAX", (1, 2)), "op 0 ARG_MAX axis: 2 values, not one"),
        (file_of("MEAN", (9,)), r"op 0 MEAN: axes \[9\]"),
        (file_of("MEAN", (-9,)), r"op 0 MEAN: axes \[-9\]"),
        (file_of("CONCATENATION", options="Concatenation", axis=4), "CONCATENATION: axis 4"),
        (file_of("DEPTH_TO_SPACE", options="DepthToSpace"), "DEPTH_TO_SPACE: block size 0"),
        (file_of("ADD", options="Pool2D"), "op 0 ADD: options of another op"),
        (file_of("RELU", target=(HUGE,) * 4), "op 0 RELU: a tensor of 2147483647x"),
        (file_of("RELU", target=(-2, 8)), r"tensor 1 has shape \(-2, 8\)"),
        (file_of("RELU", target=(1,) * 17), "a tensor of rank 17"),
    ],
)
def test_a_contradiction_is_named_with_its_op(data, message):
    with pytest.raises(TFLiteError, match=message):
        priced(data)


@pytest.mark.parametrize(
    "data",
    [
        wired(),
        wired(([], [1]), outputs=()),
        wired(([-1], [1])),
        wired(([0], []), outputs=(0,)),
        file_of("RELU", source=(), target=()),
        file_of("RELU", target=(1, 0, 8, 4)),
        file_of("RELU", source=(-1, 8, 8, 4), target=(-1, 8, 8, 4)),
        file_of("RELU", source=(1,) * 16, target=(1,) * 16),
        file_of("RESIZE_BILINEAR", (0, 0), options="ResizeBilinear"),
        file_of("STRIDED_SLICE", (0,), (HUGE,), (0,), options="StridedSlice"),
        file_of("TRANSPOSE", (-9, 9)),
        convolution(dilationWFactor=HUGE, strideW=HUGE),
    ],
    ids=range(12),
)
def test_what_is_only_odd_is_priced_or_refused(data):
    assert refusal_of(data).isprintable()


def test_an_op_that_reads_its_own_output_does_not_hang_the_fusion():
    """Tensor 1 is written twice, the second time from itself: following it never ends."""
    with pytest.raises(TFLiteError, match="op 1 RELU writes tensor 1"):
        priced(wired(([0], [1]), ([1], [1]), outputs=(0,)))


def test_a_constant_where_an_activation_is_expected_is_left_to_the_cpu():
    b = FileBuilder(IMAGE)
    constant, y = b.constant(IMAGE), b.tensor(IMAGE)
    b.op("RELU", [constant], [y])
    graph = priced(b.file(y))
    assert ORACLES[0].predict(graph).fallbacks[0].reason == "no run-time input or no output"


def test_quantised_tensors_are_priced_with_a_note():
    b = FileBuilder(IMAGE)
    y = b.tensor(IMAGE, INT8)
    b.op("QUANTIZE", [0], [y])
    assert any("quantised" in note for note in ORACLES[0].predict(priced(b.file(y))).notes)


def test_a_custom_name_cannot_write_to_the_terminal():
    b = FileBuilder(IMAGE)
    y = b.tensor(IMAGE)
    b.op("CUSTOM", [0], [y])
    b.model.operatorCodes[0].customCode = "a\n\x1b[31m\x00" + "b" * 1000
    (op,) = priced(b.file(y)).ops
    assert op.kind == "CUSTOM:a??[31m?" + "b" * 72


def test_more_ops_than_any_network_has_are_refused_at_once():
    b = FileBuilder(IMAGE)
    b.op("RELU", [0], [b.tensor(IMAGE)])
    b.subgraph.operators *= 10_001
    with pytest.raises(TFLiteError, match="10001 ops"):
        read_tflite(b.file(1))


def network():
    """A small network of the ops whose attributes matter, in tables."""
    b = FileBuilder(IMAGE)
    step = {"strideH": 1, "strideW": 1}
    weights, bias = b.constant((4, 3, 3, 4)), b.constant((4,))
    conv = b.layer("CONV_2D", [0, weights, bias], IMAGE, "Conv2D", **step)
    margins = b.integers(0, 0, 1, 1, 1, 1, 0, 0)
    x = b.layer("PAD", [conv, margins], (1, 10, 10, 4), "Pad")
    x = b.layer("MAX_POOL_2D", [x], IMAGE, "Pool2D", filterHeight=3, filterWidth=3, **step)
    x = b.layer("CONCATENATION", [x, conv], (1, 8, 8, 8), "Concatenation", axis=3)
    mean = b.layer("MEAN", [x, b.integers(1, 2)], (1, 1, 1, 8), "Reducer", keepDims=True)
    x = b.layer("MUL", [x, mean], (1, 8, 8, 8), "Mul")
    x = b.layer("DEPTH_TO_SPACE", [x], (1, 16, 16, 2), "DepthToSpace", blockSize=2)
    x = b.layer("RESIZE_BILINEAR", [x, b.integers(32, 32)], (1, 32, 32, 2), "ResizeBilinear")
    b.subgraph.outputs = [x]
    return b.model


def rewire(draw, subgraph, operator):
    side = draw(st.sampled_from(["inputs", "outputs"]))
    tensor = st.integers(-2, len(subgraph.tensors))
    wires = getattr(operator, side)
    at = draw(st.integers(0, len(wires)))
    setattr(operator, side, wires[:at] + draw(st.lists(tensor, max_size=2)) + wires[at + 1 :])


def reshape(draw, subgraph, operator):
    tensor = draw(st.sampled_from(subgraph.tensors))
    tensor.shape = draw(st.permutations(tensor.shape))[: draw(st.integers(0, 6))]
    if tensor.shape and draw(st.booleans()):
        tensor.shape[-1] = draw(numbers)


def retype(draw, subgraph, operator):
    draw(st.sampled_from(subgraph.tensors)).type = draw(st.integers(-1, 20))


def set_option(draw, subgraph, operator):
    options = operator.builtinOptions
    names = [name for name, value in vars(options).items() if type(value) is int]
    if names:
        name = draw(st.sampled_from(names))
        is_byte = name in ("padding", "fusedActivationFunction")
        setattr(options, name, draw(st.integers(-128, 127) if is_byte else numbers))


def repeat(draw, subgraph, operator):
    subgraph.operators.insert(draw(st.integers(0, len(subgraph.operators))), operator)


def become_another(draw, subgraph, operator):
    other = draw(st.sampled_from(subgraph.operators))
    operator.opcodeIndex = other.opcodeIndex
    operator.builtinOptionsType = other.builtinOptionsType
    operator.builtinOptions = other.builtinOptions


def set_ends(draw, subgraph, operator):
    tensors = st.lists(st.integers(-1, len(subgraph.tensors) - 1), max_size=3)
    subgraph.inputs, subgraph.outputs = draw(tensors), draw(tensors)


CHANGES = (rewire, reshape, retype, set_option, repeat, become_another, set_ends)


@st.composite
def changed_files(draw):
    """`network` with a few of its tables changed to what their types still allow."""
    model = network()
    (subgraph,) = model.subgraphs
    for _ in range(draw(st.integers(1, 4))):
        change = draw(st.sampled_from(CHANGES))
        change(draw, subgraph, draw(st.sampled_from(subgraph.operators)))
    return packed(model)


def test_the_network_is_sound_before_it_is_changed():
    assert len(priced(packed(network())).ops) == 8


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(data=changed_files())
def test_changed_tables_give_an_estimate_or_a_typed_error(data):
    assert refusal_of(data).isprintable()


FILE_MB = 64
PREDICT_WITHIN_LIMIT = """
import resource, sys
import numpy, tflite
from latency import GraphError, LatencyOracle, read_tflite
oracle = LatencyOracle("snapdragon-8-gen-1")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + int(sys.argv[2]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    print(len(oracle.predict(read_tflite(sys.argv[1])).kernels), "kernels")
except GraphError as error:
    print(error)
"""


def large_weights():
    b = FileBuilder((1, 8, 8, 4096))
    weights, y = b.constant((4096, 1, 1, 4096)), b.tensor((1, 8, 8, 4096))
    b.op("CONV_2D", [0, weights], [y], "Conv2D", strideH=1, strideW=1)
    return b.file(y)


def endless_vector():
    b = FileBuilder(IMAGE)
    b.op("CONCATENATION", [], [b.tensor(IMAGE)], "Concatenation")
    b.subgraph.operators[0].inputs = np.zeros(FILE_MB * 2**18, np.int32)
    return b.file(1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
@pytest.mark.parametrize(
    ("build", "said"),
    [(large_weights, "3 kernels"), (endless_vector, "more op 0 CONCATENATION inputs than")],
)
def test_a_large_file_takes_its_own_size_of_memory(tmp_path, build, said):
    path = tmp_path / "model.tflite"
    path.write_bytes(build())
    assert path.stat().st_size > FILE_MB * 2**20
    command = [sys.executable, "-c", PREDICT_WITHIN_LIMIT, str(path), str(FILE_MB + 32)]
    assert said in subprocess.run(command, capture_output=True, text=True, check=True).stdout

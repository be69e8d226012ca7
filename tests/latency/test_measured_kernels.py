"""The lowering against kernels that real phones launched.

Data: the mobile-ml-benchmark of Li, Paolieri and Golubchik ("A Benchmark for ML
Inference Latency on Mobile Devices", EdgeSys 2024): 12,324 kernels of 82 networks on
three phones, and op graphs of 32 of the networks.
"""

import csv
import gzip
import re
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from measured import DATA, needs_measured_phones

from latency import Graph, Op, lower
from latency.dataset import read_dataset

pytestmark = needs_measured_phones

PHONES = ("pixel4", "mi8se", "s10")
KINDS = {
    "concat": {"concat_aligned", "concat_unaligned"},
    "convolution_2d": {"conv_constants", "conv_generic"},
    "convolution_2d_grouped": {"conv_grouped"},
    # A Winograd row names the middle one of the three kernels.
    "convolution_winograd_4x4_6x6": {"winograd_matmul"},
    "depthwise_convolution": {"depthwise_3x3", "depthwise_generic"},
    "fully_connected": {"fully_connected"},
    "mean": {"reduce"},
    "pooling_2d": {"pool"},
}
CONVOLUTIONS = {"CONV_2D", "DEPTHWISE_CONV_2D"}
NAMES = {"logistic": "sigmoid", "relu6": "relu"}


@pytest.fixture(scope="module")
def rows():
    found = defaultdict(list)
    with gzip.open(DATA / "kernels.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            found[row["device"], row["model_id"]].append(row)
    return found


@pytest.fixture(scope="module")
def phones():
    return {device.name: device for device in read_dataset(DATA)}


@pytest.mark.parametrize("phone", PHONES)
def test_every_kernel_of_every_network_is_of_the_measured_class(phones, rows, phone):
    """Each row's operation, lowered by itself: convolutions and all else, graph or not."""
    checked = 0
    for network in phones[phone].networks:
        for timing, row in zip(network.kernels, rows[phone, network.name], strict=True):
            assert timing.kernel.kind in KINDS[row["kernel_type"]], row
            checked += 1
    assert checked == 4108


@pytest.mark.parametrize("phone", PHONES)
def test_whole_graphs_launch_as_many_kernels_of_each_class(phones, rows, phone):
    networks = [network for network in phones[phone].networks if network.graph]
    assert len(networks) == 32
    for network in networks:
        ours = Counter(
            measured
            for kernel in network.lowering.kernels
            for measured, kinds in KINDS.items()
            if kernel.kind in kinds
        )
        assert ours == Counter(row["kernel_type"] for row in rows[phone, network.name])


def measured_chain(row):
    return tuple(re.findall(r"linked_:_([a-z_0-9]+?)_\d+(?=_linked|$)", row["kernel_name_raw"]))


def predicted_chain(kernel):
    return tuple(NAMES.get(name.lower(), name.lower()) for name in kernel.chain[1:])


def chains_of_rows(rows):
    """(chain, output shape) of the measured convolutions.

    Winograd is left out: its row is of the middle kernel, its chain on the last.
    """
    found = Counter()
    for row in rows:
        if row["op"] in (*CONVOLUTIONS, "CONV_2D_GROUP") and "winograd" not in row["kernel_type"]:
            depthwise = row["op"] == "DEPTHWISE_CONV_2D"
            size, channels = int(float(row["out_hw"])), row["cin" if depthwise else "cout"]
            found[measured_chain(row), (size, size, int(float(channels)))] += 1
    return found


def chains_of_graph(graph, gpu):
    return Counter(
        (predicted_chain(kernel), kernel.output_shape[1:])
        for kernel in lower(graph, gpu).kernels
        if kernel.chain[:1] and kernel.chain[0] in CONVOLUTIONS and "winograd" not in kernel.kind
    )


def as_measured(name, graph):
    """The rebuilt graph as the phones had it, where that is known to differ."""
    if name.startswith("seresnet"):
        return shortcut_before_excitation(graph)
    if name.startswith("preresnet"):
        return with_zero_shifts(graph)
    return graph


def shortcut_before_excitation(graph):
    """The phones' node numbers put a block's 1x1 shortcut right after the squeeze (MEAN)."""
    ops = []
    for op in graph.ops:
        after_mul = ops and ops[-1].kind == "MUL" and op.inputs[0] not in ops[-1].outputs
        if op.kind == "CONV_2D" and after_mul:
            squeeze = max(i for i, other in enumerate(ops) if other.kind == "MEAN")
            ops.insert(squeeze + 1, op)
        else:
            ops.append(op)
    return replace(graph, ops=tuple(ops))


def with_zero_shifts(graph):
    """Rebuilt with random weights and zero shifts, of which the converter kept only the scales."""
    tensors, ops = list(graph.tensors), []
    for op in graph.ops:
        if op.kind == "MUL" and op.constants and op.attrs.get("activation") == "RELU":
            tensors.append(tensors[op.outputs[0]])
            scaled = (len(tensors) - 1,)
            ops.append(replace(op, outputs=scaled, attrs={}))
            ops.append(Op("ADD", scaled, op.outputs, op.constants, op.attrs))
        else:
            ops.append(op)
    return Graph(tuple(tensors), tuple(ops), graph.inputs, graph.outputs)


@pytest.mark.parametrize("phone", PHONES)
def test_fused_chains_are_the_measured_ones(phones, rows, phone):
    """At least 99.5 % of all convolutions of the networks whose graph is known."""
    device = phones[phone]
    wrong = total = 0
    for network in device.networks:
        if network.graph:
            measured = chains_of_rows(rows[phone, network.name])
            ours = chains_of_graph(as_measured(network.name, network.graph), device.gpu)
            wrong += (measured - ours).total()
            total += measured.total()
    assert total > 1000
    assert wrong <= 0.005 * total


def test_graphs_as_rebuilt_differ_only_where_they_are_known_to(phones, rows):
    wrong = set()
    for phone, device in phones.items():
        for network in device.networks:
            if network.graph:
                measured = chains_of_rows(rows[phone, network.name])
                if measured - chains_of_graph(network.graph, device.gpu):
                    wrong.add(network.name)
    assert all(name.startswith(("seresnet", "preresnet")) for name in wrong)

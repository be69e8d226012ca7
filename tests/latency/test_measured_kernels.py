"""The lowering against kernels that real phones launched.

Data: the mobile-ml-benchmark of Li, Paolieri and Golubchik ("A Benchmark for ML
Inference Latency on Mobile Devices", EdgeSys 2024), per-kernel timings of the
GPU delegate, and op graphs of 32 of its networks. It does not come with this
repository: LENSNAS_LATENCY_DATA names a folder with `kernels.csv.gz` and
`graphs.json.gz`.
"""

import csv
import gzip
import json
import os
import re
from collections import defaultdict
from pathlib import Path

import pytest

from latency import Gpu, Graph, Op, Tensor, lower

DATA = Path(os.environ.get("LENSNAS_LATENCY_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "graphs.json.gz").is_file(),
    reason="LENSNAS_LATENCY_DATA names no folder with the measured kernels",
)

PHONES = {
    "pixel4": Gpu("adreno", "6xx", compute_units=2, wave_size=128),
    "mi8se": Gpu("adreno", "6xx", compute_units=1, wave_size=128),
    "s10": Gpu("mali", "bifrost", compute_units=12),
}
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
# Networks whose rebuilt graph is known to differ from the measured one: random
# weights cost the pre-activation ResNets a batch-norm shift, and the SE-ResNets'
# down-sampling branches were written in another order.
OTHER_ORDER = ("seresnet",)
OTHER_GRAPH = ("seresnet", "preresnet")
NAMES = {"logistic": "sigmoid", "relu6": "relu"}


def graph_of(record):
    """A `Graph` of one entry of graphs.json."""
    ids = {int(name): i for i, name in enumerate(record["tensors"])}
    ops = []
    for op in record["ops"]:
        stored, attrs = op["attr"], {}
        constants = [tuple(shape) for shape in op["cshape"]]
        if "strideH" in stored:
            attrs["stride"] = (stored["strideH"], stored["strideW"])
            attrs["padding"] = ("SAME", "VALID")[stored["padding"]]
        if "filterHeight" in stored:
            attrs["kernel"] = (stored["filterHeight"], stored["filterWidth"])
        if "act" in stored:
            attrs["activation"] = stored["act"]
        if op["op"] == "PAD":
            values = op["cval"][0]
            attrs["paddings"] = tuple(zip(values[::2], values[1::2], strict=True))
        if op["op"] in ("PAD", "MEAN", "RESHAPE", "STRIDED_SLICE"):
            constants = []  # integer arguments
        inputs, outputs = (tuple(ids[t] for t in op[end]) for end in ("in", "out"))
        ops.append(Op(op["op"], inputs, outputs, tuple(constants), attrs))
    ends = [tuple(ids[t] for t in record[end]) for end in ("inputs", "outputs")]
    return Graph(tuple(Tensor(tuple(s)) for s in record["tensors"].values()), tuple(ops), *ends)


def measured_chain(row):
    return re.findall(r"linked_:_([a-z_0-9]+?)_\d+(?=_linked|$)", row["kernel_name_raw"])


def predicted_chain(kernel):
    return [NAMES.get(name.lower(), name.lower()) for name in kernel.chain[1:]]


@pytest.fixture(scope="module")
def pairs():
    """Phone -> (network, predicted kernel, measured row), in launch order."""
    rows = defaultdict(list)
    with gzip.open(DATA / "kernels.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            rows[row["device"], row["model_id"]].append(row)
    with gzip.open(DATA / "graphs.json.gz", "rt") as file:
        graphs = {name: graph_of(record) for name, record in json.load(file).items()}
    found = {}
    for phone, gpu in PHONES.items():
        found[phone] = []
        for name, graph in graphs.items():
            recorded = [
                k for k in lower(graph, gpu).kernels if any(k.kind in v for v in KINDS.values())
            ]
            measured = rows[phone, name]
            assert len(recorded) == len(measured), name
            found[phone] += [(name, *pair) for pair in zip(recorded, measured, strict=True)]
    return found


def convolution_pairs(pairs, without):
    return [
        (kernel, row)
        for name, kernel, row in pairs
        if row["op"] in CONVOLUTIONS and not name.startswith(without)
    ]


@pytest.mark.parametrize("phone", PHONES)
def test_every_convolution_kernel_is_of_the_measured_kind(pairs, phone):
    checked = convolution_pairs(pairs[phone], OTHER_ORDER)
    assert len(checked) > 1000
    for kernel, row in checked:
        assert kernel.kind in KINDS[row["kernel_type"]], row


@pytest.mark.parametrize("phone", PHONES)
def test_every_convolution_fuses_the_measured_chain(pairs, phone):
    checked = convolution_pairs(pairs[phone], OTHER_GRAPH)
    assert len(checked) > 1000
    for kernel, row in checked:
        if kernel.kind != "winograd_matmul":  # its chain is on the output transform
            assert predicted_chain(kernel) == measured_chain(row), row


@pytest.mark.parametrize("phone", PHONES)
def test_every_network_launches_as_many_kernels_of_each_kind(pairs, phone):
    balance = defaultdict(int)
    for name, kernel, row in pairs[phone]:
        kind = next(measured for measured, ours in KINDS.items() if kernel.kind in ours)
        balance[name, kind] += 1
        balance[name, row["kernel_type"]] -= 1
    assert {key: count for key, count in balance.items() if count} == {}

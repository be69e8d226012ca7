"""Measured networks: end-to-end and per-kernel GPU timings with the graphs behind them.

The format is that of the mobile-ml-benchmark (Li, Paolieri and Golubchik, "A
Benchmark for ML Inference Latency on Mobile Devices", EdgeSys 2024), a folder of

    end_to_end.csv     model_id, device, gpu, latency_ms_mean, latency_ms_std, ...
    kernels.csv.gz     one GPU kernel a row, in graph order of its network
    graphs.json.gz     op graphs of the networks that could be rebuilt

The kernels of a network come from `lower`: of its graph where there is one, else
of each row's operation by itself, where only what was fused is taken from the row.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .delegate import lower
from .gpu import Gpu
from .gpu_names import gpu_named
from .graph import Graph, GraphError, Op, Shape, Tensor
from .kernel import CONVERSIONS, Kernel, Lowering, activation_bytes

Row = Mapping[str, str]

_CONVOLUTIONS = ("CONV_2D", "CONV_2D_GROUP", "DEPTHWISE_CONV_2D")
_LINKED = re.compile(r"linked_:_([a-z_0-9]+?)_\d+(?=_linked|$)")
_TWO_INPUTS = frozenset({"add", "mul", "sub", "maximum", "minimum"})


class DatasetError(GraphError):
    """A folder of timings that is missing or malformed; the message names file and row."""


@dataclass(frozen=True, slots=True)
class KernelTiming:
    """One measured kernel: as lowered from its row alone, and its time in ms."""

    kernel: Kernel
    ms: float


@dataclass(frozen=True, slots=True)
class MeasuredNetwork:
    """One network on one phone: end-to-end `ms` (`std_ms` over runs), and its kernels.

    `graph` is None where it could not be rebuilt. `standalone` are the kernels
    that the per-kernel measurement left out (element-wise, padding), which are
    known where there is a graph.
    """

    name: str
    family: str
    ms: float
    std_ms: float
    kernels: tuple[KernelTiming, ...]
    graph: Graph | None
    lowering: Lowering


@dataclass(frozen=True, slots=True)
class MeasuredDevice:
    """All networks measured on one phone, sorted by name."""

    name: str
    gpu_name: str
    gpu: Gpu
    networks: tuple[MeasuredNetwork, ...]


def family_of(network: str) -> str:
    """The model family a network belongs to: its name up to version, width and depth.

    Variants of one design ("mobilenetb", "preresnetbc") count as the same family,
    so that a fold never trains on a near copy of what it is tested on.
    """
    stem = re.match(r"[a-z]+", network.lower())
    name = stem.group() if stem else network
    version = re.match(r"mobilenetv\d", network)
    if version:
        return version.group()
    return re.sub(r"(?<=net)(b|bc)$", "", name)


def read_dataset(folder: Path | str) -> tuple[MeasuredDevice, ...]:
    """All devices of a folder in the format above, sorted by name.

    Raises `DatasetError` for a missing file, column or an unreadable value.
    """
    folder = Path(folder)
    ends = _rows(folder / "end_to_end.csv")
    kernels: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _rows(folder / "kernels.csv.gz"):
        kernels[row["device"], row["model_id"]].append(row)
    graphs = _graphs(folder / "graphs.json.gz")
    devices: dict[str, list[Row]] = defaultdict(list)
    for row in ends:
        devices[row["device"]].append(row)
    try:
        return tuple(_device(name, rows, kernels, graphs) for name, rows in sorted(devices.items()))
    except (KeyError, ValueError) as error:
        raise DatasetError(f"{folder}: {error}") from error


def _device(
    name: str,
    rows: Iterable[Row],
    kernels: Mapping[tuple[str, str], list[Row]],
    graphs: Mapping[str, Graph],
) -> MeasuredDevice:
    networks = []
    gpu_name, gpu = "", None
    for row in sorted(rows, key=lambda row: row["model_id"]):
        gpu_name = row["gpu"]
        gpu = gpu or gpu_named(gpu_name)
        network = row["model_id"]
        timings = tuple(_timing(kernel, gpu) for kernel in kernels.get((name, network), ()))
        graph = graphs.get(network)
        networks.append(
            MeasuredNetwork(
                name=network,
                family=family_of(network),
                ms=float(row["latency_ms_mean"]),
                std_ms=float(row["latency_ms_std"]),
                kernels=timings,
                graph=graph,
                lowering=lower(graph, gpu) if graph else _from_rows(timings),
            )
        )
    if gpu is None:
        raise DatasetError(f"no network was measured on {name}")
    return MeasuredDevice(name, gpu_name, gpu, tuple(networks))


def _from_rows(timings: Iterable[KernelTiming]) -> Lowering:
    """The kernels the rows tell of; what has no row is missing."""
    return Lowering(tuple(timing.kernel for timing in timings))


def _rows(path: Path) -> list[Row]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error
    except (EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: {error}") from error


def _graphs(path: Path) -> dict[str, Graph]:
    """The rebuilt graphs by network; empty where the folder has none."""
    if not path.is_file():
        return {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            records = json.load(file)
        return {name: _graph(record) for name, record in records.items()}
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DatasetError(f"{path}: {type(error).__name__}: {error}") from error


def _graph(record: Mapping[str, Any]) -> Graph:
    ids = {int(name): i for i, name in enumerate(record["tensors"])}
    ops = []
    for stored in record["ops"]:
        attrs, constants = _attributes(stored)
        inputs, outputs = (tuple(ids[t] for t in stored[end]) for end in ("in", "out"))
        ops.append(Op(stored["op"], inputs, outputs, constants, attrs))
    return Graph(
        tuple(Tensor(tuple(shape)) for shape in record["tensors"].values()),
        tuple(ops),
        tuple(ids[t] for t in record["inputs"]),
        tuple(ids[t] for t in record["outputs"]),
    )


def _attributes(stored: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Shape, ...]]:
    """`Op.attrs` and `Op.constants` of one op of graphs.json."""
    options = stored["attr"]
    attrs: dict[str, Any] = {}
    constants = tuple(tuple(shape) for shape in stored["cshape"])
    if "strideH" in options:
        attrs["stride"] = (options["strideH"], options["strideW"])
        attrs["padding"] = ("SAME", "VALID")[options["padding"]]
    if "filterHeight" in options:
        attrs["kernel"] = (options["filterHeight"], options["filterWidth"])
    if "act" in options:
        attrs["activation"] = options["act"]
    if "keepDims" in options:
        attrs["keep_dims"] = options["keepDims"]
    if "axis" in options:
        attrs["axis"] = options["axis"]
    if stored["op"] == "PAD":
        values = stored["cval"][0]
        attrs["paddings"] = tuple(zip(values[::2], values[1::2], strict=True))
    if stored["op"] in ("PAD", "MEAN", "RESHAPE", "STRIDED_SLICE"):
        constants = ()  # integer arguments, not weights
    return attrs, constants


def _timing(row: Row, gpu: Gpu) -> KernelTiming:
    chain = tuple(_LINKED.findall(row["kernel_name_raw"]))
    described = tuple((column, row[column]) for column in _DESCRIPTION)
    kernel = _lowered(described, gpu, chain)
    return KernelTiming(kernel, float(row["latency_us"]) / 1000)


_DESCRIPTION = ("op", "in_hw", "cin", "out_hw", "cout", "kernel", "stride", "group")


@lru_cache(maxsize=65536)
def _lowered(described: tuple[tuple[str, str], ...], gpu: Gpu, chain: tuple[str, ...]) -> Kernel:
    """The kernel that runs the operation of one row, with what was fused to it."""
    graph = _graph_of_row(dict(described))
    found = [k for k in lower(graph, gpu).kernels if k.kind not in CONVERSIONS]
    # Of a Winograd convolution the row times the middle one of three kernels.
    head = found[1] if len(found) == 3 else found[0]
    skips = sum(name in _TWO_INPUTS for name in chain)
    return replace(
        head,
        chain=(*head.chain[:1], *(name.upper() for name in chain)),
        read_bytes=head.read_bytes + skips * activation_bytes(head.output_shape),
    )


def _graph_of_row(row: Row) -> Graph:
    """A graph of the one operation a row describes."""
    op = row["op"]
    number = {key: int(float(row[key])) if row[key] else 0 for key in _DESCRIPTION if key != "op"}
    cin, cout, kernel = number["cin"], number["cout"], number["kernel"]
    stride, size, out = number["stride"] or 1, number["in_hw"], number["out_hw"]
    constants: tuple[Shape, ...] = ()
    attrs: dict[str, Any] = {"stride": (stride, stride), "padding": "SAME"}
    if op == "FULLY_CONNECTED":
        shapes: list[Shape] = [(1, cin)]
        target: Shape = (1, cout)
        constants, attrs = ((cout, cin), (cout,)), {}
    elif op == "MEAN" or (op == "AVERAGE_POOL_2D" and row["kernel"] == row["in_hw"]):
        op, shapes, target = "MEAN", [(1, size, size, cin)], (1, 1, 1, cin)
        attrs = {"axes": (1, 2), "keep_dims": True}
    elif op == "CONCATENATION":
        # The row gives the first input's channels and the number of inputs.
        rest = max(kernel - 1, 1)
        widths = [cin, *(_share(cout - cin, rest, i) for i in range(rest))]
        shapes = [(1, size, size, width) for width in widths]
        target, attrs = (1, size, size, sum(widths)), {"axis": 3}
    elif op in _CONVOLUTIONS:
        depthwise = op == "DEPTHWISE_CONV_2D"
        if size == (out - 1) * stride + kernel:
            # Padded before: the delegate merges that padding into the convolution.
            size -= 0 if kernel == 1 or not depthwise else kernel - 1
            attrs["padding"] = "SAME" if depthwise else "VALID"
        groups = number["group"] or 1
        channels = cin if depthwise else cout
        first, depth = (1, channels) if depthwise else (channels, cin // groups)
        constants = ((first, kernel, kernel, depth), (channels,))
        op = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        shapes, target = [(1, size, size, cin)], (1, out, out, channels)
    elif op in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        shapes, target = [(1, size, size, cin)], (1, out, out, cin)
        attrs["kernel"] = (kernel, kernel)
    else:
        raise DatasetError(f"kernels.csv.gz: unknown operation {op!r}")
    tensors = tuple(Tensor(shape) for shape in (*shapes, target))
    inputs = tuple(range(len(shapes)))
    return Graph(
        tensors, (Op(op, inputs, (len(shapes),), constants, attrs),), inputs, (len(shapes),)
    )


def _share(total: int, parts: int, index: int) -> int:
    """The `index`-th of `parts` near-equal integers that sum to `total`, each at least 1."""
    return max(total * (index + 1) // parts - total * index // parts, 1)

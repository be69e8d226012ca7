"""`lower`: the kernels TensorFlow Lite's GPU delegate launches for a graph.

The way of a graph through the delegate (OpenCL backend, fp16):

    partition   what the GPU takes and what stays on the CPU   (partition, support)
    transform   no-ops, padding and constants folded away      (transform)
    fuse        element-wise operations join their producers   (fusion)
    select      an implementation, or several, for each node   (select, select_conv)
"""

from __future__ import annotations

from .fusion import fuse
from .gpu import Gpu
from .graph import Graph, check_graph
from .kernel import Lowering
from .partition import on_cpu, partition
from .select import select
from .transform import transformed


def lower(graph: Graph, gpu: Gpu) -> Lowering:
    """The kernels of one inference of `graph` on `gpu`, and the ops left to the CPU.

    Ops the delegate refuses, and supported ones outside the largest partition,
    become fallbacks; if nothing can be delegated there are no kernels at all. A CPU runs all.
    Raises `GraphError` unless every tensor is written once, before it is read.
    """
    check_graph(graph)
    if gpu.family == "cpu":
        delegated, fallbacks = on_cpu(graph)
    else:
        delegated, fallbacks = partition(graph)
    if not delegated:
        return Lowering((), fallbacks)
    program = transformed(graph, delegated)
    fuse(program)
    return Lowering(select(program, gpu), fallbacks)

"""A file without what only its converter needed; with what its user should know.

The converter names every tensor after all TensorFlow ops that became it, keeps its own version,
settings and the oldest runtime, and an empty description of what is not quantised. A network of
three convolutions is an eighth smaller without. Signatures stay.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from .flatbuffer import new_buffer, packed, unpacked
from .metadata import METADATA_NAME
from .signature import INPUT, OUTPUT


def slimmed(file: bytes, metadata: bytes | None = None) -> bytes:
    """`file` with `metadata` as its only metadata.

    Input and output are called as in the signature; no other tensor keeps a name, and nothing
    reads one: ops stand in the order of the network function (`in_written_order`) already.
    """
    model = unpacked(file)
    graph = model.subgraphs[0]
    graph.name = model.description = model.metadataBuffer = model.metadata = None
    _keep_used_tensors(model, graph)
    _keep_used_buffers(model, graph)
    for operator in graph.operators:
        operator.intermediates = operator.mutatingVariableInputs = None
    for tensor in graph.tensors:
        tensor.shapeSignature = None
        tensor.hasRank = not len(tensor.shape)  # What has a shape has a rank.
        if tensor.quantization is not None and tensor.quantization.scale is None:
            tensor.quantization = None
        elif tensor.quantization is not None:
            tensor.quantization.min = tensor.quantization.max = None
        tensor.name = None
    for tensors, name in ((graph.inputs, INPUT), (graph.outputs, OUTPUT)):
        for index in tensors:
            graph.tensors[index].name = name
    if metadata is not None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
        model.buffers.append(new_buffer(metadata))
        model.metadata = [entry]
    return packed(model)


def _keep_used_tensors(model: Any, graph: Any) -> None:
    """Renumber the tensors that are read, written, or named by a signature."""
    used = {*graph.inputs, *graph.outputs}
    for operator in graph.operators:
        used |= {*operator.inputs, *operator.outputs}
    kept = sorted(int(tensor) for tensor in used if tensor >= 0)
    place = {old: new for new, old in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[tensor] for tensor in kept]
    for holder in (graph, *graph.operators):
        holder.inputs = [place[int(tensor)] for tensor in holder.inputs]
        holder.outputs = [place[int(tensor)] for tensor in holder.outputs]
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = place[int(entry.tensorIndex)]


def _keep_used_buffers(model: Any, graph: Any) -> None:
    """Renumber them; the first is empty, for all tensors that are no constants."""
    contents: dict[bytes, int] = {b"": 0}
    for tensor in graph.tensors:
        data = model.buffers[tensor.buffer].data
        content = b"" if data is None else bytes(data)
        tensor.buffer = contents.setdefault(content, len(contents))
    model.buffers = [new_buffer(content) for content in contents]

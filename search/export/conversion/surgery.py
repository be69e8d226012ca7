"""A .tflite file at another size, or a part of it: the same weights, other shapes.

Exported files have one fixed size, which the phone's GPU wants. A frame of another one needs no
new export: what depends on the size are the shapes of tensors and the arguments of a few ops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from latency import read_tflite
from latency.graph import Graph
from latency.receptive_field import AXES, locality

from .flatbuffer import new_buffer, packed, unpacked

_SIZED = {"TRANSPOSE_CONV": (0, slice(None)), "RESIZE_BILINEAR": (1, slice(1, 3)),
          "RESIZE_NEAREST_NEIGHBOR": (1, slice(1, 3))}  # fmt: skip
"""Ops with a size among their arguments: its place, and what of the output's shape it is."""


class EditableFile:
    """A .tflite file whose tensors are known by the ids that they have in `graph`."""

    def __init__(self, file: bytes) -> None:
        self.graph: Graph = read_tflite(file)
        self._model: Any = unpacked(file)
        self._subgraph: Any = self._model.subgraphs[0]
        self._number = self._numbers()

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the input."""
        shape = self.graph.tensors[self.graph.inputs[0]].shape
        return shape[1], shape[2]

    def resized(self, size: tuple[int, int]) -> bytes:
        """The file for an input of `size`, which must be a multiple of the steps away from its own.

        Raises `NotLocalError` as `locality` does.
        """
        found = locality(self.graph)
        for tensor, spans in found.spans.items():
            entry = self._subgraph.tensors[self._number[tensor]]
            shape = list(entry.shape)
            for axis, span, old, new in zip(AXES, spans, self.size, size, strict=True):
                shape[axis] = span.size + int(span.scale * (new - old))
            entry.shape = shape
            entry.shapeSignature = None
        for operator in self._subgraph.operators:
            if argument := _SIZED.get(self._kind(operator)):
                place, part = argument
                shape = self._subgraph.tensors[operator.outputs[0]].shape[part]
                operator.inputs[place] = self._new_constant(operator.inputs[place], shape)
        return packed(self._model)

    def part(self, given: Sequence[int], wanted: Sequence[int]) -> bytes:
        """The ops that make the tensors `wanted` of the input and the tensors `given`.

        The part's inputs are the input and then `given`, its outputs `wanted`, in these orders.
        """
        image = self.graph.inputs[0]
        known = {self._number[tensor] for tensor in (image, *given)}
        needed = {self._number[tensor] for tensor in wanted} - known
        kept = []
        for operator in reversed(self._subgraph.operators):
            if needed.isdisjoint(operator.outputs):
                continue
            kept.append(operator)
            needed |= set(operator.inputs) - known
        self._subgraph.operators = kept[::-1]
        self._subgraph.inputs = [self._number[tensor] for tensor in (image, *given)]
        self._subgraph.outputs = [self._number[tensor] for tensor in wanted]
        self._model.signatureDefs = None
        return packed(self._model)

    def _kind(self, operator: Any) -> str:
        return str(flatbuffer_utils.opcode_to_name(self._model, operator.opcodeIndex))

    def _numbers(self) -> Mapping[int, int]:
        """Tensor ids of `graph` to indices in the file."""
        numbers = dict(zip(self.graph.inputs, self._subgraph.inputs, strict=True))
        # `read_tflite` leaves out the ops that unpack a constant and keeps the order of the others.
        ops = iter(self.graph.ops)
        for operator in self._subgraph.operators:
            if self._kind(operator) == "DEQUANTIZE" and self._is_constant(operator.inputs[0]):
                continue
            numbers |= dict(zip(next(ops).outputs, operator.outputs, strict=True))
        return numbers

    def _is_constant(self, tensor: int) -> bool:
        data = self._model.buffers[self._subgraph.tensors[tensor].buffer].data
        return data is not None and len(data) > 0

    def _new_constant(self, like: int, values: Sequence[int]) -> int:
        """A tensor of its own: constants that happen to be equal share one in the file."""
        old = self._subgraph.tensors[like]
        tensor = flatbuffer_utils.TensorT()
        tensor.shape, tensor.type, tensor.name = [len(values)], old.type, old.name
        tensor.buffer = len(self._model.buffers)
        self._model.buffers.append(new_buffer(np.asarray(values, np.int32).tobytes()))
        self._subgraph.tensors.append(tensor)
        return len(self._subgraph.tensors) - 1

"""A .tflite file as objects, and those as a file again."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_IDENTIFIER = b"TFL3"
_ALIGNMENT_BYTES = 16
"""Of weights, by TensorFlow Lite's schema; the runtime reads them where they lie in the file."""


class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes equal arrays and texts once: shapes and zero points repeat from tensor to tensor."""

    def __init__(self) -> None:
        super().__init__(1024)
        self._known: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802
        """Where `x` lies."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._known:
            self._known[key] = int(super().CreateNumpyVector(x))
        return self._known[key]

    def CreateString(self, s: Any, encoding: str = "utf-8", errors: str = "strict") -> int:  # noqa: N802
        """Where the text `s` lies."""
        content = s if isinstance(s, bytes) else s.encode(encoding, errors)
        key = ("text", content)
        if key not in self._known:
            self._known[key] = int(super().CreateString(content))
        return self._known[key]


class _Buffer(schema.BufferT):  # type: ignore[misc]
    """A buffer that is written aligned, which the generated code leaves out."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
        if self.data is not None:
            builder.Prep(_ALIGNMENT_BYTES, len(self.data))
        return int(super().Pack(builder))


def unpacked(file: bytes) -> Any:
    """The objects of `file`, a `ModelT` of the schema."""
    return flatbuffer_utils.read_model_from_bytearray(bytearray(file))


def packed(model: Any) -> bytes:
    """The file of `model`; equal objects make equal bytes."""
    for index, buffer in enumerate(model.buffers):
        model.buffers[index] = new_buffer(buffer.data)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.shape = np.asarray(tensor.shape, np.int32)
        for operator in graph.operators:
            operator.inputs = np.asarray(operator.inputs, np.int32)
            operator.outputs = np.asarray(operator.outputs, np.int32)
    builder = SharingBuilder()
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def new_buffer(content: Any) -> Any:
    """A buffer of bytes, or of nothing."""
    buffer = _Buffer()
    if content is not None and len(content):
        buffer.data = np.frombuffer(bytes(content), np.uint8)
    return buffer

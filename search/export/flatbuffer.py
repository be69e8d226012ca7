"""A .tflite file as objects, and those as a file again."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_ALIGNMENT_BYTES = 16
"""Of weights, by TensorFlow Lite's schema; the runtime reads them where they lie in the file."""


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
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def new_buffer(content: Any) -> Any:
    """A buffer of bytes, or of nothing."""
    buffer = _Buffer()
    if content is not None and len(content):
        buffer.data = np.frombuffer(bytes(content), np.uint8)
    return buffer

"""TensorFlow Lite metadata: what a file says of itself, for tools and for people.

A flatbuffer within the file by the published schema (`metadata_schema.fbs` of tflite-support,
identifier M001), written field by field: the package that would do it needs an older Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flatbuffers

from .signature import INPUT, OUTPUT

METADATA_NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"
"""Version of the schema that knows all fields used here."""

# Places of the fields in their tables.
_MODEL_FIELDS = 8
_NAME, _DESCRIPTION = 0, 1
_VERSION, _SUBGRAPHS, _MIN_PARSER = 2, 3, 7
_SUBGRAPH_FIELDS, _INPUTS, _OUTPUTS = 4, 2, 3
_TENSOR_FIELDS, _STATS = 7, 5
_STATS_FIELDS, _MAX, _MIN = 2, 0, 1


@dataclass(frozen=True)
class About:
    """What is said of a file: who it is, and what its input and output hold, both in [0, 1]."""

    name: str
    description: str
    version: str
    input_note: str
    output_note: str


def encoded(about: About) -> bytes:
    """The metadata of a file; equal texts make equal bytes."""
    builder = flatbuffers.Builder(1024)
    inputs = _vector(builder, [_tensor(builder, INPUT, about.input_note)])
    outputs = _vector(builder, [_tensor(builder, OUTPUT, about.output_note)])
    graph = _table(builder, _SUBGRAPH_FIELDS, {_INPUTS: inputs, _OUTPUTS: outputs})
    fields = {
        _NAME: builder.CreateString(about.name),
        _DESCRIPTION: builder.CreateString(about.description),
        _VERSION: builder.CreateString(about.version),
        _SUBGRAPHS: _vector(builder, [graph]),
        _MIN_PARSER: builder.CreateString(_PARSER),
    }
    builder.Finish(_table(builder, _MODEL_FIELDS, fields), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, name: str, description: str) -> int:
    bounds = {_MAX: _floats(builder, [1.0]), _MIN: _floats(builder, [0.0])}
    fields = {
        _NAME: builder.CreateString(name),
        _DESCRIPTION: builder.CreateString(description),
        _STATS: _table(builder, _STATS_FIELDS, bounds),
    }
    return _table(builder, _TENSOR_FIELDS, fields)


def _table(builder: flatbuffers.Builder, size: int, fields: dict[int, int]) -> int:
    """A table of `size` fields, of which `fields` are set to what lies at their offsets."""
    builder.StartObject(size)
    for place, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(place, offset, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: flatbuffers.Builder, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())

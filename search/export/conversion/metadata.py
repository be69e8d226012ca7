"""TensorFlow Lite metadata: what a file says of itself, for tools and for people.

A flatbuffer within the file by the published schema (`metadata_schema.fbs` of tflite-support,
identifier M001), written field by field: the package that would do it needs an older Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flatbuffers
import numpy as np

from .flatbuffer import SharingBuilder
from .signature import INPUT, OUTPUT

METADATA_NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"

# Places of the fields in their tables; later ones are left out, as readers allow.
_MODEL_FIELDS = 4
_NAME, _DESCRIPTION = 0, 1
_VERSION, _SUBGRAPHS = 2, 3
_SUBGRAPH_FIELDS, _INPUTS, _OUTPUTS = 4, 2, 3
_TENSOR_FIELDS, _STATS = 6, 5
_STATS_FIELDS, _MAX, _MIN = 2, 0, 1


@dataclass(frozen=True)
class About:
    """What is said of a file: who it is, and what its input and output hold, both in [0, 1].

    `version` tells networks apart: the architecture's digest.
    """

    name: str
    version: str
    input_note: str
    output_note: str


def encoded(about: About) -> bytes:
    """The metadata of a file; equal texts make equal bytes."""
    builder = SharingBuilder()
    inputs = _vector(builder, [_tensor(builder, INPUT, about.input_note)])
    outputs = _vector(builder, [_tensor(builder, OUTPUT, about.output_note)])
    graph = _table(builder, _SUBGRAPH_FIELDS, {_INPUTS: inputs, _OUTPUTS: outputs})
    fields = {
        _NAME: builder.CreateString(about.name),
        _VERSION: builder.CreateString(about.version),
        _SUBGRAPHS: _vector(builder, [graph]),
    }
    builder.Finish(_table(builder, _MODEL_FIELDS, fields), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, name: str, description: str) -> int:
    bounds = {
        place: builder.CreateNumpyVector(np.array([bound], np.float32))
        for place, bound in ((_MAX, 1), (_MIN, 0))
    }
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

"""What is asked of the process that renders, and what it answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from search.data.pairs import Encoding


@dataclass(frozen=True)
class Request:
    """`model`, `photo`, `depth`, `output`: paths. `channels`: of the network's input.

    `sensor`: as `Sensor.to_dict`, of the data that the network was trained on; None for RGB.
    `pattern`, `black_level`, `white_level`: of a RAW image that does not say them. `largest`: a
    tile, rows and columns of the input.
    """

    model: str
    photo: str
    output: str
    encoding: Encoding
    channels: int
    sensor: dict[str, Any] | None
    pattern: str | None = None
    black_level: float | None = None
    white_level: float | None = None
    depth: str | None = None
    largest: tuple[int, int] | None = None

    def to_json(self) -> str:
        """For the command line of the process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Inverse of `to_json`."""
        fields = json.loads(text)
        largest = fields["largest"]
        return cls(**{**fields, "largest": tuple(largest) if largest else None})


@dataclass(frozen=True)
class Rendered:
    """A picture of `height` x `width` that was written, and how.

    `tiles` of `tile` (rows, columns of the network's input), which have at least `overlap` in
    common, all of them run `passes` times. `added`: rows and columns that mirror the frame at its
    end, as networks with strides need. `peak_mib`: the most memory that the process had (MiB).
    `note`: how the photograph was read.
    """

    height: int
    width: int
    tiles: int
    tile: tuple[int, int]
    overlap: tuple[int, int]
    added: tuple[int, int]
    passes: int
    seconds: float
    peak_mib: float
    note: str

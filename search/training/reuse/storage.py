"""A `Donor` as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from search.artifacts import read_arrays, write_arrays
from spaces.wiring import Wired

from .inheritance import Donor

_LAYERS = "layers"


def save_donor(path: Path, donor: Donor) -> None:
    """Write it whole or not at all: the arrays, and a JSON text that says what they are."""
    layers = [
        [layer.key, layer.op, layer.reads, layer.writes, layer.kernel, dict(layer.arguments)]
        for layer in donor.layers
    ]
    arrays = {
        f"{number:05d}_{place}": array
        for number, weights in enumerate(donor.weights)
        for place, array in enumerate(weights)
    }
    arrays[_LAYERS] = np.frombuffer(json.dumps(layers).encode(), np.uint8)
    write_arrays(path, arrays)


def load_donor(path: Path) -> Donor:
    """Inverse of `save_donor`; OSError, KeyError or ValueError for a file that is none."""
    arrays = read_arrays(path)
    layers = json.loads(arrays.pop(_LAYERS).tobytes())
    weights: list[list[np.ndarray]] = [[] for _ in layers]
    for name in sorted(arrays):
        weights[int(name.partition("_")[0])].append(arrays[name])
    wired = tuple(
        Wired(key, op, _labels(reads), _labels(writes), kernel, arguments)
        for key, op, reads, writes, kernel, arguments in layers
    )
    return Donor(wired, tuple(map(tuple, weights)))


def _labels(listed: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    return tuple(map(_labels, listed)) if isinstance(listed, list) else listed

"""What proxies said of the untrained networks of a table, from `benchmarks/proxies.py measure`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.errors import UserError


@dataclass(frozen=True)
class Probes:
    """Of one architecture with one seed: each proxy's value, None where it had no finite number,
    and the CPU seconds that it took."""

    values: Mapping[str, float | None]
    seconds: Mapping[str, float]


def read_probes(path: Path) -> dict[tuple[str, int], Probes]:
    """By (digest, seed), of a file of JSON lines. UserError where it is none."""
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {(line["digest"], line["seed"]): _probes(line) for line in lines}
    except OSError as error:
        raise UserError(f"cannot read the probes {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} holds no probes: {error}") from None


def _probes(line: Mapping[str, Any]) -> Probes:
    finite = {
        name: value if math.isfinite(value) else None for name, value in line["values"].items()
    }
    return Probes(finite, line["seconds"])

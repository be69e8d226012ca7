"""`TrainedTable`: what training gave for every architecture of a small space.

On disk gzipped JSON lines: first what the table is, then a line an architecture.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from search.artifacts import write_bytes
from search.errors import UserError
from spaces.architecture import Architecture, Value


@dataclass(frozen=True)
class Run:
    """One training: validation PSNR in dB, `curve` of (step, PSNR) at rungs and at the end, and
    `seconds` on one thread of the machine that the table names, `start_s` of them before the
    first step: what a trial costs that is pruned at once."""

    psnr_db: float
    ssim: float
    curve: tuple[tuple[int, float], ...]
    seconds: float
    start_s: float = 0.0

    def seconds_at(self, step: int) -> float:
        """From the start of the run to `step`; its steps take equally long."""
        return self.start_s + (self.seconds - self.start_s) * step / self.curve[-1][0]


@dataclass(frozen=True)
class Row:
    """An architecture's trainings, by (steps, seed)."""

    architecture: Architecture
    parameters: int
    runs: Mapping[tuple[int, int], Run]


@dataclass(frozen=True)
class TrainedTable:
    """Every architecture of `space` limited to `choices`, trained by `training` on `data`.

    `choices` as in a study's `space.choices`, `training` as in a study but for its steps.
    `provenance`: machine, versions, date, whatever a reader should know.
    """

    task: str
    space: str
    choices: Mapping[str, tuple[Value, ...]]
    training: Mapping[str, Any]
    data: Mapping[str, Any]
    provenance: Mapping[str, str]
    rows: tuple[Row, ...] = field(repr=False)

    @cached_property
    def _by_architecture(self) -> dict[Architecture, Row]:
        return {row.architecture: row for row in self.rows}

    @cached_property
    def budgets(self) -> list[int]:
        """Steps that every architecture was trained for, ascending."""
        return sorted({steps for steps, _ in self._keys})

    @cached_property
    def seeds(self) -> list[int]:
        """Seeds of which every architecture has a run, ascending."""
        return sorted({seed for _, seed in self._keys})

    @cached_property
    def _keys(self) -> set[tuple[int, int]]:
        keys = [set(row.runs) for row in self.rows]
        return set.intersection(*keys) if keys else set()

    def run(self, architecture: Architecture, steps: int, seed: int) -> Run:
        """One training; `seed` counts round the table's. UserError for what it does not hold."""
        row = self._by_architecture.get(architecture)
        if row is None:
            raise UserError(f"the table holds no architecture {architecture.digest}")
        if steps not in self.budgets:
            raise UserError(f"the table has no training of {steps} steps, only {self.budgets}")
        return row.runs[steps, self.seed(seed)]

    def seed(self, seed: int) -> int:
        """That of the table's trainings which a study's `seed` stands for."""
        return self.seeds[seed % len(self.seeds)]

    def parameters(self, architecture: Architecture) -> int:
        """Of the deployed network."""
        return self._by_architecture[architecture].parameters


def write_table(path: Path, table: TrainedTable) -> None:
    """Whole or not at all; the same table gives the same bytes."""
    head = {
        "task": table.task,
        "space": table.space,
        "choices": dict(table.choices),
        "training": dict(table.training),
        "data": dict(table.data),
        "provenance": dict(table.provenance),
    }
    lines = [json.dumps(head, sort_keys=True), *map(_line, table.rows)]
    write_bytes(path, gzip.compress("\n".join(lines).encode(), mtime=0))


def read_table(path: Path) -> TrainedTable:
    """Inverse of `write_table`; UserError for a file that is no table."""
    try:
        head, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        fields = json.loads(head)
        choices = {name: tuple(values) for name, values in fields.pop("choices").items()}
        return TrainedTable(**fields, choices=choices, rows=tuple(map(_row, lines)))
    except OSError as error:
        raise UserError(f"cannot read the table {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError, EOFError, AttributeError) as error:
        raise UserError(f"{path} is no table of trainings: {error}") from None


def _line(row: Row) -> str:
    runs = [
        [steps, seed, run.psnr_db, run.ssim, run.seconds, run.start_s, run.curve]
        for (steps, seed), run in sorted(row.runs.items())
    ]
    document = {
        "architecture": row.architecture.to_json(),
        "parameters": row.parameters,
        "runs": runs,
    }
    return json.dumps(document, separators=(",", ":"))


def _row(line: str) -> Row:
    document = json.loads(line)
    runs = {
        (steps, seed): Run(psnr_db, ssim, _curve(curve), seconds, start_s)
        for steps, seed, psnr_db, ssim, seconds, start_s, curve in document["runs"]
    }
    architecture = Architecture.from_json(document["architecture"])
    return Row(architecture, document["parameters"], runs)


def _curve(points: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple((step, psnr_db) for step, psnr_db in points)

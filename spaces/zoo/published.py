"""The result tables of the two Mobile AI & AIM 2022 challenge reports, as printed.

Learned smartphone ISP (Ignatov et al., 2022): 1920x1088 output, Snapdragon 8
Gen 1. Realistic bokeh (Ignatov et al., 2022): 1024x1024, Kirin 9000. Both with
the TensorFlow Lite GPU delegate, timed by the AI Benchmark app.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Task = Literal["isp", "bokeh"]

_FILES: dict[Task, str] = {"isp": "isp_mai2022.csv", "bokeh": "bokeh_mai2022.csv"}


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row of a result table. None is a cell that is empty or was "N.A." in print.

    `size_mb`: MiB of the submitted file. `cpu_ms`, `gpu_ms`: one frame at the
    challenge's resolution. `lpips`: bokeh only. `mos`: mean opinion score, 1 to 5.
    `kind`: "entry", "baseline", or what went wrong.
    """

    team: str
    framework: str
    size_mb: float | None
    psnr_db: float | None
    ssim: float | None
    lpips: float | None
    cpu_ms: float | None
    gpu_ms: float | None
    score: float | None
    mos: float | None
    kind: str


NEVER_SUBMITTED = PublishedRow(
    "", "", None, None, None, None, None, None, None, None, kind="never submitted"
)
"""What is published of a network that took part in no challenge."""


@cache
def published_rows(task: Task) -> tuple[PublishedRow, ...]:
    """All rows of the task's table in the order of print; KeyError for another task."""
    table = files(__package__) / "published" / _FILES[task]
    lines = table.read_text(encoding="utf-8").splitlines()
    return tuple(_row(record) for record in csv.DictReader(lines))


def published_row(task: Task, team: str) -> PublishedRow:
    """The row of `team`; KeyError when the table has none."""
    for row in published_rows(task):
        if row.team == team:
            return row
    raise KeyError(f"no team {team!r} in the published table of {task}")


def _row(record: dict[str, str]) -> PublishedRow:
    def number(column: str) -> float | None:
        text = record.get(column, "")
        return float(text) if text else None

    return PublishedRow(
        team=record["team"],
        framework=record["framework"],
        size_mb=number("size_mb"),
        psnr_db=number("psnr_db"),
        ssim=number("ssim"),
        lpips=number("lpips"),
        cpu_ms=number("cpu_ms"),
        gpu_ms=number("gpu_ms"),
        score=number("score"),
        mos=number("mos"),
        kind=record["kind"],
    )

"""A study scored again: by run times that a device measured, or that another profile predicts.

Measured and predicted times never share a column, nor networks of either a ranking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from latency import LatencyOracle
from latency.measurements import Measurement
from latency.measurements.choice import of_one_method
from search.errors import UserError
from search.export.record import StoredBundle, read_bundle
from search.objective import log2_score
from search.study.estimate import estimate
from search.study.results import StudyResults
from spaces.architecture import Architecture

from .notes import data_note
from .rows import LeaderRow, leaderboard
from .style import score_text


@dataclass(frozen=True)
class Timed:
    """A run time that was measured, of the file of one `precision`."""

    measurement: Measurement
    precision: str


@dataclass(frozen=True)
class RescoredRow:
    """`row`: with the predicted run time and its score. `timed`: None where nobody measured.

    `rank`: among the measured networks of the same stage, by `measured_log2_score`; None without.
    """

    row: LeaderRow
    timed: Timed | None = None
    measured_log2_score: float | None = None
    rank: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        measurement = self.timed.measurement if self.timed else None
        return {
            "stage": self.row.stage,
            "name": self.row.name,
            "digest": self.row.architecture.digest,
            "psnr_db": self.row.psnr_db,
            "predicted_ms": self.row.runtime_ms,
            "low_ms": self.row.low_ms,
            "high_ms": self.row.high_ms,
            "predicted_log2_score": self.row.log2_score,
            "measured_ms": measurement.ms if measurement else None,
            "measured_std_ms": measurement.std_ms if measurement else None,
            "measured_on": measurement.device if measurement else None,
            "method": measurement.method if measurement else None,
            "precision": self.timed.precision if self.timed else None,
            "measured_log2_score": self.measured_log2_score,
            "rank_measured": self.rank,
        }


def timed_architectures(
    bundles: Iterable[StoredBundle], device: str | None = None, accelerator: str | None = None
) -> dict[Architecture, Timed]:
    """The measured run time of each bundle's network: of its first file that has one, the latest.

    Raises `MeasurementError` where there is none or where devices or methods would be mixed.
    """
    owners: dict[str | None, tuple[StoredBundle, str]] = {}
    found: list[Measurement] = []
    for bundle in bundles:
        # Run times of other resolutions are not comparable.
        own: dict[str | None, tuple[StoredBundle, str]] = {
            file.sha256: (bundle, file.precision) for file in bundle.task_files
        }
        measured = [m for m in bundle.measurements() if m.sha256 in own]
        if not measured:
            raise UserError(
                f"{bundle.directory} has no measurement of its files: see lensnas latency measure"
            )
        owners |= own
        found += measured
    latest = {m.sha256: m for m in of_one_method(found, device, accelerator)}
    timed: dict[Architecture, Timed] = {}
    for sha256, (bundle, precision) in owners.items():
        if sha256 in latest:
            timed.setdefault(bundle.architecture, Timed(latest[sha256], precision))
    return timed


def rescored(results: StudyResults, timed: dict[Architecture, Timed]) -> list[RescoredRow]:
    """The leaderboard: of each stage the measured networks, best measured score first, and then
    the others as they were ranked.

    Raises UserError for a network that the study does not have.
    """
    rows = leaderboard(results, trials=len(results.trials))
    strange = timed.keys() - {row.architecture for row in rows}
    if strange:
        raise UserError(
            f"study {results.config.name} holds no trained network {min(a.digest for a in strange)}"
            ": the bundle is of another study"
        )
    log2_c = results.config.task_facts.log2_c
    found = []
    for stage in dict.fromkeys(row.stage for row in rows):
        of_stage = [row for row in rows if row.stage == stage]
        measured = [
            RescoredRow(row, time, log2_score(row.psnr_db, time.measurement.ms, log2_c))
            for row in of_stage
            if (time := timed.get(row.architecture))
        ]
        measured.sort(key=lambda r: -(r.measured_log2_score or 0.0))
        found += [replace(row, rank=rank) for rank, row in enumerate(measured, start=1)]
        found += [RescoredRow(row) for row in of_stage if row.architecture not in timed]
    return found


def read_measured(
    results: StudyResults,
    folders: Iterable[Path],
    device: str | None = None,
    accelerator: str | None = None,
) -> list[RescoredRow]:
    """The study scored by what was measured of the bundles in `folders`."""
    stored = [read_bundle(folder) for folder in folders]
    return rescored(results, timed_architectures(stored, device, accelerator) if stored else {})


def repriced(results: StudyResults, oracle: LatencyOracle) -> StudyResults:
    """The study as it would stand with the run times that `oracle` predicts; PSNRs stay."""
    task = results.config.task_facts
    known = {
        a: estimate(a, task, oracle)
        for a in {t.architecture for t in results.complete}
        | {f.architecture for f in results.finals}
        if a is not None
    }
    trials = tuple(
        replace(
            trial,
            estimate=known[trial.architecture],
            log2_score=log2_score(trial.psnr_db, known[trial.architecture].runtime_ms, task.log2_c),
        )
        if trial.architecture in known and trial.psnr_db is not None
        else trial
        for trial in results.trials
    )
    finals = tuple(replace(run, estimate=known[run.architecture]) for run in results.finals)
    return replace(results, trials=trials, finals=finals)


def how_measured(rows: Sequence[RescoredRow]) -> str:
    """Device, method and files of the measured run times, in a sentence."""
    timed = [row.timed for row in rows if row.timed]
    if not timed:
        return "Nothing was measured."
    first = timed[0].measurement
    precisions = ", ".join(dict.fromkeys(t.precision for t in timed))
    return f"Measured: {first.device}, {first.accelerator}, {first.method}; {precisions} files."


def rescored_table(results: StudyResults, rows: Sequence[RescoredRow], predicted_for: str) -> Table:
    """For the terminal. `predicted_for`: the device profile of the predictions."""
    how = "measured" if any(row.timed for row in rows) else "predicted"
    table = Table(
        title=Text(f"{results.config.name}: scored by {how} run times"),
        caption=Text(f"{how_measured(rows)}\nPredicted: {predicted_for}.\n{data_note(results)}"),
        caption_justify="left", box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    table.add_column("network", overflow="fold")
    for name in ("PSNR dB", "ms\npredicted", "ms\nmeasured", "score\npredicted", "score\nmeasured"):
        table.add_column(name, justify="right", no_wrap=True)
    stage = None
    for row in rows:
        if row.row.stage != stage:
            stage = row.row.stage
            table.add_row(Text(f"{stage}:", style="italic"))
        table.add_row(*cells(row))
    return table


def cells(row: RescoredRow) -> list[str]:
    """Network, PSNR, predicted and measured run time in ms, predicted and measured score."""
    name = f"{row.rank}. {row.row.name}" if row.rank else row.row.name
    measured = row.timed.measurement if row.timed else None
    spread = f"\n± {measured.std_ms:.2g}" if measured and measured.std_ms is not None else ""
    return [
        name,
        f"{row.row.psnr_db:.2f}",
        f"{row.row.runtime_ms:.3g}\n({row.row.low_ms:.3g}-{row.row.high_ms:.3g})",
        f"{measured.ms:.3g}{spread}" if measured else "-",
        score_text(row.row.log2_score),
        score_text(row.measured_log2_score) if row.measured_log2_score is not None else "",
    ]

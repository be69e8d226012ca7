"""Leaderboard, Pareto set and published rows as plain data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from search.objective import log2_score
from search.study.estimate import Estimate
from search.study.results import Finalist, StudyResults, TrialRecord
from search.tasks import Task
from spaces.architecture import Architecture
from spaces.label import label
from spaces.zoo import ZOO
from spaces.zoo.published import PublishedRow, published_rows

Stage = Literal["finals", "search"]


@dataclass(frozen=True)
class LeaderRow:
    """One architecture as a study measured it, and how.

    `rank` counts within the `stage`, for the training budgets differ. `name`: "trial 12"
    or the title of a published system. `psnr_db`: mean over `seeds`; `spread_db`: their
    sample standard deviation, None for one seed. `lpips`: None where it was not measured; lower
    is better. `runtime_ms`, with its 90 % interval, is
    predicted; `notes` are the oracle's reservations.
    """

    stage: Stage
    rank: int
    name: str
    published_system: bool
    architecture: Architecture
    label: str
    steps: int
    seeds: int
    psnr_db: float
    spread_db: float | None
    ssim: float
    runtime_ms: float
    low_ms: float
    high_ms: float
    gmac: float
    parameters: int
    log2_score: float
    notes: tuple[str, ...]
    lpips: float | None = None


def leaderboard(results: StudyResults, trials: int = 10) -> list[LeaderRow]:
    """Finalists, published systems among them, then the best `trials` that were no finalists."""
    finalists = results.finalists()
    rows = [_of_finalist(results, rank, f) for rank, f in enumerate(finalists, start=1)]
    in_finals = {f.architecture for f in finalists}
    ranked = enumerate(results.complete, start=1)
    others = ((rank, t) for rank, t in ranked if t.architecture not in in_finals)
    return rows + [_of_trial(results, rank, t) for rank, t in itertools.islice(others, trials)]


def pareto_rows(results: StudyResults) -> list[LeaderRow]:
    """The trials that no other beats in both PSNR and run time, fastest first.

    Of the search alone, where all were trained alike.
    """
    rank_of = {t.number: rank for rank, t in enumerate(results.complete, start=1)}
    return [_of_trial(results, rank_of[t.number], t) for t in results.pareto_front()]


def published(task: Task) -> list[PublishedRow]:
    """The published rows with a GPU run time, best score first; [] for a task without a table."""
    try:
        rows = published_rows(task.name)
    except KeyError:
        return []
    timed = [row for row in rows if row.gpu_ms is not None and row.psnr_db is not None]
    return sorted(timed, key=lambda row: -published_log2_score(row, task))


def published_log2_score(row: PublishedRow, task: Task) -> float:
    """By the formula, from the printed PSNR and run time."""
    assert row.psnr_db is not None
    assert row.gpu_ms is not None
    return log2_score(row.psnr_db, row.gpu_ms, task.log2_c)


def published_front(rows: Sequence[PublishedRow]) -> list[PublishedRow]:
    """Those that no other beats in both PSNR and run time, fastest first."""
    front: list[PublishedRow] = []
    for row in sorted(rows, key=lambda r: (r.gpu_ms or 0.0, -(r.psnr_db or 0.0))):
        if not front or (row.psnr_db or 0.0) > (front[-1].psnr_db or 0.0):
            front.append(row)
    return front


def display_name(origin: str) -> str:
    """The title of a published system, or `origin` as it is."""
    return ZOO[origin].title if origin in ZOO else origin


def is_published(origin: str) -> bool:
    """Whether `origin` of a finalist names a published system."""
    return origin in ZOO


def _of_finalist(results: StudyResults, rank: int, finalist: Finalist) -> LeaderRow:
    steps = max(r.steps for r in results.finals if r.architecture == finalist.architecture)
    return _row(
        stage="finals",
        rank=rank,
        origin=finalist.origin,
        architecture=finalist.architecture,
        known=finalist.estimate,
        steps=steps,
        psnrs_db=finalist.psnrs_db,
        spread_db=finalist.spread_db,
        ssim=finalist.ssim,
        lpips=finalist.lpips,
        log2=finalist.log2_score,
    )


def _of_trial(results: StudyResults, rank: int, trial: TrialRecord) -> LeaderRow:
    assert trial.architecture is not None
    assert trial.estimate is not None
    assert trial.psnr_db is not None
    assert trial.ssim is not None
    assert trial.log2_score is not None
    return _row(
        stage="search",
        rank=rank,
        origin=trial.baseline or f"trial {trial.number}",
        architecture=trial.architecture,
        known=trial.estimate,
        steps=results.config.training.steps,
        psnrs_db=(trial.psnr_db,),
        spread_db=None,
        ssim=trial.ssim,
        lpips=trial.lpips,
        log2=trial.log2_score,
    )


def _row(
    *,
    stage: Stage,
    rank: int,
    origin: str,
    architecture: Architecture,
    known: Estimate,
    steps: int,
    psnrs_db: tuple[float, ...],
    spread_db: float | None,
    ssim: float,
    lpips: float | None,
    log2: float,
) -> LeaderRow:
    return LeaderRow(
        stage=stage,
        rank=rank,
        name=display_name(origin),
        published_system=is_published(origin),
        architecture=architecture,
        label=label(architecture),
        steps=steps,
        seeds=len(psnrs_db),
        psnr_db=sum(psnrs_db) / len(psnrs_db),
        spread_db=spread_db,
        ssim=ssim,
        lpips=lpips,
        runtime_ms=known.runtime_ms,
        low_ms=known.low_ms,
        high_ms=known.high_ms,
        gmac=known.gmac,
        parameters=known.parameters,
        log2_score=log2,
        notes=known.notes,
    )

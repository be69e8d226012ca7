"""A study as data: every trial and every final, read from the storage and nothing else.

Tables, reports, dashboards and exports are made from `StudyResults`.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.attributes import BASELINE, CANDIDATE, FINAL, INDEX, PROBES, RESULT
from search.config import StudyConfig
from search.networks import zoo_architecture
from search.objective import log2_score
from spaces.architecture import Architecture
from spaces.zoo import ZOO

from .estimate import Estimate
from .job import ProbeValues

Status = Literal[
    "waiting", "running", "complete", "pruned", "infeasible", "duplicate", "probed", "failed",
    "interrupted",
]  # fmt: skip
TRAINED: tuple[Status, ...] = ("complete", "pruned", "failed")
"""What counts towards a study's total: candidates that training time was spent on."""
FREE: tuple[Status, ...] = ("infeasible", "duplicate", "probed")
"""What was judged and not trained. The probed may be trained as another trial."""


@dataclass(frozen=True)
class TrialRecord:
    """One Optuna trial. `index` stays when a lost trial is run again under a new `number`.

    `psnr_db`, `ssim` on the study's validation set; `log2_score` from them and the
    predicted run time; all None unless complete. `curve`: (step, PSNR in dB). `lpips`: None
    also where it was not asked for, as in `FinalRun` and `Finalist`. `inherited`: share of the
    weights, 0 to 1, that it started with from another network, of the trial `parent` or of a
    super-network. `probes`: what proxies said of the untrained network, None where one had no
    number. `weights_sha256`: of its file of weights, None where none was recorded.
    """

    number: int
    index: int
    status: Status
    reason: str | None
    architecture: Architecture | None
    estimate: Estimate | None
    baseline: str | None
    psnr_db: float | None
    ssim: float | None
    log2_score: float | None
    curve: tuple[tuple[int, float], ...]
    seconds: dict[str, float]
    started: datetime | None
    ended: datetime | None
    lpips: float | None = None
    inherited: float | None = None
    parent: int | None = None
    probes: ProbeValues = field(default_factory=dict)
    weights_sha256: str | None = None

    def __hash__(self) -> int:
        # Enough to tell a study's trials apart; the dictionaries have none.
        return hash(self.number)


@dataclass(frozen=True)
class FinalRun:
    """One long training run of a finalist. `weights_sha256`: as of a trial."""

    architecture: Architecture
    seed: int
    steps: int
    estimate: Estimate
    psnr_db: float
    ssim: float
    curve: tuple[tuple[int, float], ...]
    seconds: dict[str, float]
    lpips: float | None = None
    weights_sha256: str | None = None


@dataclass(frozen=True)
class Finalist:
    """A finalist over its seeds. `origin`: "trial 12" or the name of a published system.

    `ssim`, `lpips`: means over the seeds.
    """

    architecture: Architecture
    estimate: Estimate
    origin: str
    psnrs_db: tuple[float, ...]
    ssim: float
    log2_score: float
    lpips: float | None = None

    @property
    def psnr_db(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.psnrs_db)

    @property
    def spread_db(self) -> float | None:
        """Sample standard deviation over the seeds; None for a single seed."""
        return statistics.stdev(self.psnrs_db) if len(self.psnrs_db) > 1 else None


@dataclass(frozen=True)
class StudyResults:
    """Everything a study has found so far."""

    config: StudyConfig
    trials: tuple[TrialRecord, ...]
    finals: tuple[FinalRun, ...]

    @cached_property
    def complete(self) -> tuple[TrialRecord, ...]:
        """Complete trials, best score first."""
        done = [t for t in self.trials if t.status == "complete"]
        return tuple(sorted(done, key=lambda t: -(t.log2_score or 0.0)))

    @cached_property
    def trained(self) -> int:
        """How many trials count towards the study's total."""
        return sum(t.status in TRAINED for t in self.trials)

    @property
    def with_lpips(self) -> bool:
        """Whether any network of the study has an LPIPS to show."""
        values = [*(t.lpips for t in self.trials), *(f.lpips for f in self.finals)]
        return any(value is not None for value in values)

    def trial(self, number: int) -> TrialRecord | None:
        """The trial of that number, None where there is none."""
        return next((trial for trial in self.trials if trial.number == number), None)

    @property
    def best(self) -> TrialRecord | None:
        """The complete trial with the best score in brief training."""
        return next(iter(self.complete), None)

    def pareto_front(self) -> tuple[TrialRecord, ...]:
        """Complete trials that no other beats in both PSNR and run time, fastest first."""
        return self._front

    @cached_property
    def _front(self) -> tuple[TrialRecord, ...]:
        front: list[TrialRecord] = []
        best_psnr = float("-inf")
        for trial in sorted(self.complete, key=_by_runtime):
            assert trial.psnr_db is not None
            if trial.psnr_db > best_psnr:
                front.append(trial)
                best_psnr = trial.psnr_db
        return tuple(front)

    def finalists(self) -> tuple[Finalist, ...]:
        """Architectures of the finals over their seeds, best mean score first.

        Runs of another length, from before `finals.steps` was changed, do not compare.
        """
        return self._finalists

    @cached_property
    def _finalists(self) -> tuple[Finalist, ...]:
        log2_c = self.config.task_facts.log2_c
        finals = self.config.finals
        groups: dict[Architecture, list[FinalRun]] = {}
        for run in self.finals:
            if finals is not None and run.steps == finals.steps:
                groups.setdefault(run.architecture, []).append(run)
        ranked = []
        for architecture, runs in groups.items():
            known = runs[0].estimate
            psnrs = tuple(r.psnr_db for r in sorted(runs, key=lambda r: r.seed))
            mean = statistics.fmean(psnrs)
            ranked.append(
                Finalist(
                    architecture=architecture,
                    estimate=known,
                    origin=self.origin(architecture),
                    psnrs_db=psnrs,
                    ssim=statistics.fmean(r.ssim for r in runs),
                    log2_score=log2_score(mean, known.runtime_ms, log2_c),
                    lpips=_mean_if_all([r.lpips for r in runs]),
                )
            )
        return tuple(sorted(ranked, key=lambda f: -f.log2_score))

    @property
    def winner(self) -> Architecture | None:
        """The winner of the finals, or the best trial where there were none."""
        finalists = self.finalists()
        if finalists:
            return finalists[0].architecture
        return self.best.architecture if self.best else None

    def origin(self, architecture: Architecture) -> str:
        """The name of the baseline that `architecture` is, else the trial that found it."""
        for name in self.config.baselines:
            if name in ZOO and zoo_architecture(name) == architecture:
                return name
        for trial in self.trials:
            if trial.architecture == architecture and trial.status in TRAINED:
                return f"trial {trial.number}"
        return architecture.digest


def read_results(study: optuna.Study, config: StudyConfig) -> StudyResults:
    """Read all of `study`."""
    trials = tuple(read_trial(t) for t in study.get_trials(deepcopy=False))
    return StudyResults(config, trials, read_finals(study.user_attrs))


def read_finals(attrs: dict[str, Any]) -> tuple[FinalRun, ...]:
    """The runs of the finals, of a study's user attributes."""
    return tuple(read_final(v) for k, v in sorted(attrs.items()) if k.startswith(FINAL))


def read_trial(trial: FrozenTrial) -> TrialRecord:
    """One trial's record from its Optuna trial."""
    attrs = trial.user_attrs
    known = attrs.get(CANDIDATE)
    result: dict[str, Any] = attrs.get(RESULT, {})
    return TrialRecord(
        number=trial.number,
        index=attrs.get(INDEX, trial.number),
        status=_status(trial, result),
        reason=result.get("reason"),
        architecture=Architecture.from_json(known["architecture"]) if known else None,
        estimate=Estimate.from_dict(known["estimate"]) if known else None,
        baseline=attrs.get(BASELINE),
        psnr_db=result.get("psnr_db"),
        ssim=result.get("ssim"),
        log2_score=result.get("log2_score"),
        curve=tuple((int(s), float(p)) for s, p in result.get("curve", ())),
        seconds=result.get("seconds", {}),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
        lpips=result.get("lpips"),
        inherited=result.get("inherited"),
        parent=result.get("parent"),
        probes=attrs.get(PROBES, {}),
        weights_sha256=result.get("weights_sha256"),
    )


def final_key(architecture: Architecture, seed: int, steps: int) -> str:
    """The study attribute that holds one run of the finals."""
    return f"{FINAL}{architecture.digest}:{steps}:{seed}"


def write_final(run: FinalRun) -> dict[str, Any]:
    """For storage under `final_key`."""
    return {
        "architecture": run.architecture.to_json(),
        "seed": run.seed,
        "steps": run.steps,
        "estimate": run.estimate.to_dict(),
        "psnr_db": run.psnr_db,
        "ssim": run.ssim,
        "curve": run.curve,
        "seconds": run.seconds,
        "lpips": run.lpips,
        "weights_sha256": run.weights_sha256,
    }


def read_final(fields: dict[str, Any]) -> FinalRun:
    """Inverse of `write_final`."""
    return FinalRun(
        architecture=Architecture.from_json(fields["architecture"]),
        seed=fields["seed"],
        steps=fields["steps"],
        estimate=Estimate.from_dict(fields["estimate"]),
        psnr_db=fields["psnr_db"],
        ssim=fields["ssim"],
        curve=tuple((int(s), float(p)) for s, p in fields["curve"]),
        seconds=fields["seconds"],
        lpips=fields.get("lpips"),
        weights_sha256=fields.get("weights_sha256"),
    )


def _status(trial: FrozenTrial, result: dict[str, Any]) -> Status:
    if trial.state == TrialState.WAITING:
        return "waiting"
    if trial.state == TrialState.RUNNING:
        return "running"
    status: Status = result.get("status", "interrupted")
    return status


def _mean_if_all(values: list[float | None]) -> float | None:
    """None where one is missing: a mean over other seeds than PSNR's would not compare."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _by_runtime(trial: TrialRecord) -> tuple[float, float]:
    assert trial.estimate is not None
    assert trial.psnr_db is not None
    return trial.estimate.runtime_ms, -trial.psnr_db

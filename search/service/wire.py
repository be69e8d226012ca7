"""What goes over the wire: the same models write it in the server and read it in the client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from search.config import parse_config
from search.live.studies import StudyOverview
from search.study.estimate import Estimate
from search.study.results import (
    FinalRun,
    Status,
    StudyResults,
    TrialRecord,
    read_final,
    write_final,
)
from search.study.storage import document_of
from spaces.architecture import Architecture


class ArchitectureDocument(BaseModel):
    """A space's name and its active choices; of the space "zoo": `{"system": NAME}`."""

    space: str
    choices: dict[str, str | int | bool]

    @classmethod
    def of(cls, architecture: Architecture) -> ArchitectureDocument:
        """For the wire."""
        return cls(space=architecture.space, choices=architecture.choices)

    def architecture(self) -> Architecture:
        """Inverse of `of`."""
        return Architecture.of(self.space, self.choices)


class TrialDocument(BaseModel):
    """One trial, whole: the fields of `TrialRecord`. Run times are predicted, in ms; PSNR is in
    dB; `curve`: steps and PSNRs; `seconds`: wall time by phase, and CPU time."""

    number: int
    index: int
    status: Status
    reason: str | None
    digest: str | None
    architecture: ArchitectureDocument | None
    estimate: Estimate | None
    baseline: str | None
    psnr_db: float | None
    ssim: float | None
    log2_score: float | None
    curve: list[tuple[int, float]]
    seconds: dict[str, float]
    started: AwareDatetime | None
    ended: AwareDatetime | None
    lpips: float | None
    inherited: float | None
    parent: int | None
    probes: dict[str, float | None]
    weights_sha256: str | None

    @classmethod
    def of(cls, trial: TrialRecord) -> TrialDocument:
        """For the wire."""
        architecture = trial.architecture
        return cls.model_construct(
            **vars(trial)
            | {
                "digest": architecture.digest if architecture else None,
                "architecture": ArchitectureDocument.of(architecture) if architecture else None,
                "curve": list(trial.curve),
                "started": trial.started and trial.started.astimezone(),
                "ended": trial.ended and trial.ended.astimezone(),
            }
        )

    def record(self) -> TrialRecord:
        """Inverse of `of`."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        del fields["digest"]
        return TrialRecord(
            **fields
            | {
                "architecture": self.architecture.architecture() if self.architecture else None,
                "curve": tuple(self.curve),
                "started": _local(self.started),
                "ended": _local(self.ended),
            }
        )


class TrialsPage(BaseModel):
    """`trials` from `offset` on, of `total` in the study that have the wanted status. `version`
    grows whenever the study changes."""

    version: int
    total: int
    offset: int
    trials: list[TrialDocument]


class ParetoDocument(BaseModel):
    """Complete trials that no other beats in both PSNR and run time, fastest first."""

    version: int
    trials: list[TrialDocument]


class StudyDocument(BaseModel):
    """A study without its trials. `settings`: its file; `finals`: every run of the finals, as
    stored; `winner`: the digest of its architecture."""

    overview: StudyOverview
    version: int
    settings: dict[str, Any]
    finals: list[dict[str, Any]]
    winner: str | None

    @classmethod
    def of(cls, results: StudyResults, version: int, overview: StudyOverview) -> StudyDocument:
        """For the wire."""
        return cls(
            overview=overview,
            version=version,
            settings=document_of(results.config),
            finals=[write_final(run) for run in results.finals],
            winner=results.winner.digest if results.winner else None,
        )

    def results(self, trials: list[TrialDocument]) -> StudyResults:
        """As the server has them, so that whatever shows results shows these."""
        finals: tuple[FinalRun, ...] = tuple(read_final(run) for run in self.finals)
        config = parse_config(self.settings, f"study {self.overview.name}")
        return StudyResults(config, tuple(trial.record() for trial in trials), finals)


class Progress(BaseModel):
    """An event: how far a study is, and the trials that have changed since the last one."""

    overview: StudyOverview
    version: int
    trials: list[TrialDocument]


class PredictArchitecture(BaseModel):
    """An architecture whose run time is wanted, on one frame of a task's resolution."""

    architecture: ArchitectureDocument
    task: str | None = Field(None, description="default: the one whose input the network takes")


class KernelDocument(BaseModel):
    """One GPU kernel, and the ops in it."""

    kernel: str
    chain: list[str]
    ms: float


class FallbackDocument(BaseModel):
    """An op that the GPU would leave to the CPU, and why."""

    op: int
    kind: str
    reason: str


class Prediction(BaseModel):
    """A predicted run time in ms with its 90 % interval. `failure`: why the GPU would give up."""

    device: str
    predicted_ms: float
    low_ms: float
    high_ms: float
    gmac: float
    parameters: int
    kernels: list[KernelDocument]
    fallbacks: list[FallbackDocument]
    failure: str | None
    notes: list[str]


def _local(time: datetime | None) -> datetime | None:
    """As Optuna has times: of this machine's zone, without saying so."""
    return time.astimezone().replace(tzinfo=None) if time else None

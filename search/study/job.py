"""`Job`: one training run as it is handed to a worker, and what comes back.

Plain values only: they cross process boundaries.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from search.data.folders import Broken, DatasetName
from search.training.recipe import Recipe
from search.training.reuse.recipe import SuperNetwork
from spaces.architecture import Architecture
from spaces.space import SearchSpace

from .limits import UNLIMITED, Limits

DatasetKind = Literal["sample"] | DatasetName

ProbeValues = dict[str, float | None]
"""What proxies said of an untrained network, by their names; None where one had no number."""


@dataclass(frozen=True)
class DataSource:
    """Where a worker finds its pairs: a prepared or published data set that has been checked.

    `broken`: files that the check found and the study allows to be left out.
    `validation_images`: how many of the validation pairs are used; None for all. `kept`: which of
    the training pairs are; None for all.
    """

    dataset: DatasetKind
    root: Path
    broken: tuple[Broken, ...] = ()
    validation_images: int | None = None
    kept: tuple[int, ...] | None = None


@dataclass(frozen=True)
class DonorFile:
    """Weights to start from: those of a trained `architecture`, or, where that is None, a file of
    `save_donor`. `sha256`: of the file, where it is known."""

    path: Path
    architecture: Architecture | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Job:
    """Train `architecture` by `recipe` from `seed`; artifacts go to `directory`.

    `key` names the job among the running ones. `rungs` are the steps at which the
    worker reports and waits for the word to go on. `threads` is its share of the cores.
    `lpips`: a file of its weights, where that is to be measured too. `donor`: whose weights it
    starts from, where it has them. With `proxies` nothing is trained: these are measured of the
    untrained network. `deaths`: of workers that had this job before. `checkpoint`: the file from
    which it goes on then, None where it starts over.
    """

    key: str
    architecture: Architecture
    recipe: Recipe
    data: DataSource
    seed: int
    directory: Path
    rungs: tuple[int, ...] = ()
    threads: int = 1
    lpips: Path | None = None
    donor: DonorFile | None = None
    proxies: tuple[str, ...] = ()
    limits: Limits = UNLIMITED
    deaths: int = 0
    checkpoint: Path | None = None


@dataclass(frozen=True)
class SuperNetworkJob:
    """Train a super-network of `space` and leave its weights at `path`; otherwise as `Job`.

    At the rungs it reports the PSNR of the largest network.
    """

    key: str
    space: SearchSpace
    settings: SuperNetwork
    recipe: Recipe
    data: DataSource
    seed: int
    path: Path
    rungs: tuple[int, ...] = ()
    threads: int = 1
    limits: Limits = UNLIMITED
    deaths: int = 0

    @property
    def directory(self) -> Path:
        """Where its log goes."""
        return self.path.parent


AnyJob = Job | SuperNetworkJob


@dataclass(frozen=True)
class Rung:
    """A worker reached a rung with `psnr_db` and waits for the driver's answer."""

    key: str
    step: int
    psnr_db: float


@dataclass(frozen=True)
class Trained:
    """A run that ended as it should: `psnr_db` is None where it was pruned at `pruned_at`.

    `curve`: (step, PSNR in dB). `seconds`: wall time by phase, and "total";
    "cpu" is the time of all threads. `inherited`: share of the weights, 0 to 1, that were another
    network's at the start. `weights_sha256`: of the file of weights, where one was written.
    """

    key: str
    curve: tuple[tuple[int, float], ...]
    psnr_db: float | None
    ssim: float | None
    pruned_at: int | None
    parameters: int
    seconds: dict[str, float]
    lpips: float | None = None
    inherited: float | None = None
    weights_sha256: str | None = None


@dataclass(frozen=True)
class Probed:
    """An untrained network that was looked at. `seconds`: wall time, and "cpu" of all threads."""

    key: str
    values: ProbeValues
    seconds: dict[str, float]


@dataclass(frozen=True)
class Failed:
    """A run that ended badly, with the reason in one line.

    `died`: its process or machine did, by a signal or an exit, and might not the next time.
    """

    key: str
    reason: str
    died: bool = False


@dataclass(frozen=True)
class Retried:
    """A run whose worker died for the `deaths`-th time and that was started again."""

    key: str
    reason: str
    deaths: int


@dataclass(frozen=True)
class Prevented:
    """A run that the machine or the data prevented, by no fault of the candidate's."""

    key: str
    reason: str


Event = Rung | Retried | Trained | Probed | Failed
"""What a pool hands on of a candidate; `Prevented` ends the study instead."""

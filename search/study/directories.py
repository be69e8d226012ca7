"""Where a study keeps what its training runs leave: weights, pictures and logs."""

from __future__ import annotations

from pathlib import Path

from search.config import StudyConfig
from spaces.architecture import Architecture

EXPORT = "export"
"""In a study's folder, or a full training's: its export, unless another place is named."""


def preparation_directory(config: StudyConfig, what: str) -> Path:
    """Of what the study makes once for all candidates, such as its teacher."""
    return config.directory / what


def trial_directory(config: StudyConfig, number: int) -> Path:
    """Of the trial with this number."""
    return config.directory / "trials" / f"{number:05d}"


def probe_directory(config: StudyConfig, number: int) -> Path:
    """Of what was measured of this trial's network before it could be trained."""
    return config.directory / "probes" / f"{number:05d}"


def final_directory(config: StudyConfig, architecture: Architecture, seed: int, steps: int) -> Path:
    """Of one run of the finals."""
    return config.directory / "finals" / f"{architecture.digest}-{steps}-s{seed}"


def trained_directory(config: StudyConfig, name: str) -> Path:
    """Of a full training that was not given another one."""
    return config.directory / "trained" / name


def checkpoint_file(config: StudyConfig, index: int) -> Path:
    """Of the trial with this index, which it keeps when it is lost and gets another number."""
    return config.directory / "checkpoints" / f"{index:05d}.npz"


def sweep_checkpoints(config: StudyConfig, unended: set[int]) -> None:
    """Remove the checkpoints of trials whose index is not among these."""
    for path in checkpoint_file(config, 0).parent.glob("*.npz"):
        if int(path.stem) not in unended:
            path.unlink(missing_ok=True)

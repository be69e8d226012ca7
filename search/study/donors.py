"""Whose weights a candidate starts from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from search.artifacts import WEIGHTS
from search.config import StudyConfig
from search.networks import candidate
from spaces.architecture import Architecture
from spaces.wiring import Wired, wiring

from .directories import preparation_directory, trial_directory
from .job import DonorFile
from .results import TrialRecord

NEAREST = 8
"""Candidates, by their choices, of which the one with the most weights in common is the parent."""


@dataclass(frozen=True)
class Parent:
    """A trained candidate, and where its weights are."""

    trial: int
    file: DonorFile


def super_network_file(config: StudyConfig) -> DonorFile:
    """Where a study keeps its super-network's weights."""
    return DonorFile(preparation_directory(config, "super_network") / WEIGHTS)


def parent_of(
    architecture: Architecture, complete: Iterable[TrialRecord], config: StudyConfig
) -> Parent | None:
    """The trained candidate with the most weights in common with `architecture`, None for none.

    Of equally near ones the better by PSNR.
    """
    space = config.search_space()
    if architecture.space != space.name:
        return None
    there = [
        (trial, trial.architecture)
        for trial in complete
        if trial.architecture is not None and trial.architecture.space == space.name
    ]
    own = space.encode(architecture)

    def order(pair: tuple[TrialRecord, Architecture]) -> tuple[float, float, int]:
        trial, other = pair
        distance = float(np.abs(own - space.encode(other)).sum())
        return distance, -(trial.psnr_db or 0.0), trial.number

    there.sort(key=order)
    layers = _wiring(architecture)
    best: tuple[int, Parent] | None = None
    for trial, other in there[:NEAREST]:
        common = weights_in_common(layers, _wiring(other))
        path = trial_directory(config, trial.number) / WEIGHTS
        if common > (best[0] if best else 0) and path.exists():
            best = common, Parent(trial.number, DonorFile(path, other))
    return best[1] if best else None


def weights_in_common(ours: Iterable[Wired], theirs: Iterable[Wired]) -> int:
    """How many weights of kernels one network can inherit of the other."""
    there = {layer.key: layer for layer in theirs}
    count = 0
    for layer in ours:
        other = there.get(layer.key)
        if other is not None:
            reads = len(set(layer.reads) & set(other.reads))
            writes = len(set(layer.writes) & set(other.writes))
            count += reads * writes * min(layer.kernel, other.kernel) ** 2
    return count


def _wiring(architecture: Architecture) -> tuple[Wired, ...]:
    network = candidate(architecture)
    return wiring(network.network, network.input_channels)

"""Whose weights a candidate starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
"""Candidates, by their choices, among which the parent is looked for."""


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
    """The trained candidate most alike to `architecture` by `likeness`, None for none.

    Of equally alike ones the nearest by its choices, then the better by PSNR.
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
    best: tuple[float, Parent] | None = None
    for trial, other in there[:NEAREST]:
        alike = likeness(layers, _wiring(other))
        path = trial_directory(config, trial.number) / WEIGHTS
        if alike > (best[0] if best else 0.0) and path.exists():
            file = DonorFile(path, other, trial.weights_sha256)
            best = alike, Parent(trial.number, file)
    return best[1] if best else None


def likeness(ours: Sequence[Wired], theirs: Sequence[Wired]) -> float:
    """Kernels' weights that both networks have, of all that either has: 0 to 1.

    Not what ours could inherit alone: all of a small network's weights lie in a much larger one,
    which computes something else without the rest of its own.
    """
    there = {layer.key: layer for layer in theirs}
    common = sum(_weights(layer, there[layer.key]) for layer in ours if layer.key in there)
    either = sum(_weights(layer, layer) for layer in [*ours, *theirs]) - common
    return common / max(either, 1)


def _weights(one: Wired, other: Wired) -> int:
    reads, writes = set(one.reads) & set(other.reads), set(one.writes) & set(other.writes)
    return len(reads) * len(writes) * min(one.kernel, other.kernel) ** 2


def _wiring(architecture: Architecture) -> tuple[Wired, ...]:
    network = candidate(architecture)
    return wiring(network.network, network.input_channels)

"""What a study's trials say to a sampler that thinks in architectures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import optuna
from optuna.trial import FrozenTrial, TrialState

from search.attributes import CHOSEN_OVER, INDEX, PROBES, RESULT
from search.objective import log2_score, psnr_of_score
from search.study.estimate import Estimate
from spaces.architecture import Architecture
from spaces.space import SearchSpace

FEWEST_AT_RUNG = 3
"""Complete trials from which it is learned what a pruned one would have gained."""
_TILT = 0.5
"""By how much a dB more at a rung is believed, before any trial, to change the gain from there:
standard deviation, in dB. What is behind at a rung gains more than what is ahead."""


@dataclass(frozen=True, eq=False)
class Priced:
    """An architecture that may be trained, with what is known before it is.

    `choices` [F] as the space encodes them; `measures` [4]: log2 of run time in ms, MACs in 1e9,
    parameters and kernels.
    """

    architecture: Architecture
    runtime_ms: float
    choices: npt.NDArray[np.float64] = field(repr=False)
    measures: npt.NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(cls, architecture: Architecture, known: Estimate, space: SearchSpace) -> Priced:
        """An architecture of `space` with what the oracle knows of it."""
        measures = np.log2([known.runtime_ms, known.gmac, known.parameters, known.kernels])
        return cls(architecture, known.runtime_ms, space.encode(architecture), measures)


@dataclass(frozen=True)
class Observation:
    """A trained architecture. `noise`: variance in dB^2 beyond that of a complete training."""

    priced: Priced
    psnr_db: float
    noise: float = 0.0

    @cached_property
    def log2_runtime(self) -> float:
        """Of the run time in ms."""
        return float(self.priced.measures[0])

    @cached_property
    def merit(self) -> float:
        """log2 of the score, up to its constant."""
        return log2_score(self.psnr_db, self.priced.runtime_ms, log2_c=0.0)


@dataclass(frozen=True)
class Gain:
    """PSNR in dB gained after a rung: a straight line of the PSNR there, and the variance in dB^2
    around it."""

    at_db: float
    gain_db: float
    tilt: float
    variance: float

    def expected_db(self, psnr_db: float) -> float:
        """Of a trial with `psnr_db` at the rung."""
        return self.gain_db + self.tilt * (psnr_db - self.at_db)


def fitted_gain(points: Sequence[tuple[float, float]]) -> Gain:
    """By ridge regression over at least three (PSNR at the rung, gain) in dB."""
    at_db, gain_db = (statistics.fmean(values) for values in zip(*points, strict=True))
    offsets = [(x - at_db, g - gain_db) for x, g in points]
    variance = sum(g * g for _, g in offsets) / (len(points) - 1)
    spread = sum(x * x for x, _ in offsets)
    tilt = sum(x * g for x, g in offsets) / (spread + variance / _TILT**2 + 1e-12)
    left = sum((g - tilt * x) ** 2 for x, g in offsets) / (len(points) - 1)
    return Gain(at_db, gain_db, tilt, left)


@dataclass
class History:
    """Grows with a study: what was read of a finished trial is not read again, nor are the choices
    of a running one, of which a large cluster has hundreds.

    `proposed`: architectures that were trained or refused, or that a trial has which has not ended.
    `running`: those in training. `probes`: what proxies said, by their names.
    """

    space: SearchSpace
    price: Callable[[Architecture], Priced | None]
    log2_c: float
    probing: bool = False
    running: list[Priced] = field(default_factory=list)
    probes: dict[Architecture, Mapping[str, float | None]] = field(default_factory=dict)
    _ended: set[Architecture] = field(default_factory=set)
    _in_hand: set[Architecture] = field(default_factory=set)
    _unfinished: dict[int, tuple[Architecture, Priced | None]] = field(default_factory=dict)
    _complete: dict[int, tuple[Observation, dict[int, float]]] = field(default_factory=dict)
    _pruned: dict[int, tuple[Priced, int, float]] = field(default_factory=dict)
    _read: set[int] = field(default_factory=set)

    def update(self, study: optuna.Study) -> None:
        """Read the trials that have ended since, and those that are running."""
        self.running = []
        self._in_hand = set()
        for trial in study.get_trials(deepcopy=False):
            if trial.number in self._read:
                continue
            architecture, priced = self._known(trial)
            if trial.state.is_finished():
                self._read.add(trial.number)
                self._unfinished.pop(trial.number, None)
            if architecture is None:
                continue
            self._note_probes(trial, architecture)
            if _interrupted(trial):
                continue
            if trial.state == TrialState.RUNNING:
                self._in_hand.add(architecture)
            elif not _only_probed(trial):
                self._ended.add(architecture)
            if priced is None:
                continue
            if trial.state == TrialState.RUNNING:
                if not self.probing or CHOSEN_OVER in trial.user_attrs:
                    self.running.append(priced)
            elif trial.state == TrialState.COMPLETE:
                self._add_complete(trial, priced)
            elif trial.state == TrialState.PRUNED:
                self._add_pruned(trial, priced)

    def _known(self, trial: FrozenTrial) -> tuple[Architecture | None, Priced | None]:
        """Its architecture and what that costs, once all its choices are made."""
        known = self._unfinished.get(trial.number)
        if known is None:
            architecture = architecture_of(trial, self.space)
            if architecture is None:
                return None, None
            known = architecture, self.price(architecture)
            self._unfinished[trial.number] = known
        return known

    @property
    def proposed(self) -> set[Architecture]:
        """What need not be proposed now; that was only probed may come again."""
        return self._ended | self._in_hand

    @property
    def observations(self) -> list[Observation]:
        """Of complete and of pruned trials, in the order of their numbers."""
        by_number = {number: observation for number, (observation, _) in self._complete.items()}
        gains = {step: self._gains(step) for step in {step for _, step, _ in self._pruned.values()}}
        for number, (priced, step, psnr_db) in self._pruned.items():
            gain = gains[step]
            if gain is not None:
                expected_db = psnr_db + gain.expected_db(psnr_db)
                by_number[number] = Observation(priced, expected_db, gain.variance)
        return [by_number[number] for number in sorted(by_number)]

    def _gains(self, step: int) -> Gain | None:
        """What complete trials gained after `step`; None of too few."""
        points = [
            (curve[step], observation.psnr_db - curve[step])
            for observation, curve in self._complete.values()
            if step in curve
        ]
        return fitted_gain(points) if len(points) >= FEWEST_AT_RUNG else None

    def _note_probes(self, trial: FrozenTrial, architecture: Architecture) -> None:
        probes = trial.user_attrs.get(PROBES)
        if probes is not None:
            self.probes[architecture] = probes

    def _add_complete(self, trial: FrozenTrial, priced: Priced) -> None:
        result = trial.user_attrs.get(RESULT, {})
        psnr_db = result.get("psnr_db", self._psnr_of(trial.values, priced))
        curve = {int(step): float(psnr) for step, psnr in result.get("curve", ())}
        if np.isfinite(psnr_db):
            self._complete[trial.number] = Observation(priced, float(psnr_db)), curve

    def _add_pruned(self, trial: FrozenTrial, priced: Priced) -> None:
        curve = trial.user_attrs.get(RESULT, {}).get("curve") or ()
        if curve:
            step, psnr_db = curve[-1]
            self._pruned[trial.number] = priced, int(step), float(psnr_db)

    def _psnr_of(self, values: Sequence[float], priced: Priced) -> float:
        """From a study's values: log2 of the score, or (PSNR, run time)."""
        if len(values) > 1:
            return values[0]
        return psnr_of_score(values[0], priced.runtime_ms, self.log2_c)


def _interrupted(trial: FrozenTrial) -> bool:
    """Whether its driver died: the ledger asks for such a trial again, as if it had not been."""
    attributes = trial.user_attrs
    return trial.state == TrialState.FAIL and INDEX in attributes and RESULT not in attributes


def _only_probed(trial: FrozenTrial) -> bool:
    return trial.user_attrs.get(RESULT, {}).get("status") == "probed"


def architecture_of(trial: FrozenTrial, space: SearchSpace) -> Architecture | None:
    """None for choices that are not of this (perhaps narrowed) space, or not all made."""
    try:
        return space.architecture(trial.params)
    except ValueError:
        return None

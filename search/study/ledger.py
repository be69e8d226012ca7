"""`Ledger`: the driver's hand on the storage, asking for candidates and writing their fate.

The storage is the one truth. The ledger keeps nothing that it could not read back:
a driver that is killed and started again goes on from what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from search.attributes import (
    BASELINE,
    CANDIDATE,
    CHOSEN_OVER,
    DEATHS,
    INDEX,
    LOSSES,
    PROBES,
    RESULT,
)
from search.config import SamplerConfig, StudyConfig
from search.networks import zoo_architecture
from search.objective import log2_score
from search.samplers import SAMPLERS, Context, may_choose, most_promising
from spaces.architecture import Architecture

from .estimate import Estimate, infeasible_reason
from .job import Failed, ProbeValues, Trained
from .pruning import AtRung
from .results import TRAINED, TrialRecord, read_trial
from .storage import Flush, in_memory

_UNSEEN = ("duplicate", "interrupted", "waiting", "probed")
"""Statuses after which the same architecture may be trained."""
_STAYING = (INDEX, BASELINE, PROBES, CHOSEN_OVER, DEATHS)
"""Attributes that a lost trial has when it is run again."""
MOST_LOSSES = 10
"""Deaths of the driver that a trial may see. Many, since it may be any other trial's doing, or
nobody's; not without end, since it may be its own."""


@dataclass(frozen=True)
class Asked:
    """A candidate that the sampler proposed, not yet judged."""

    trial: optuna.Trial
    index: int
    architecture: Architecture

    @property
    def chosen(self) -> bool:
        """Whether it was to be trained, in a study that probes, before a stop."""
        return CHOSEN_OVER in self.trial.user_attrs

    @property
    def deaths(self) -> int:
        """How many workers have died with it."""
        deaths: int = self.trial.user_attrs.get(DEATHS, 0)
        return deaths


class Ledger:
    """One study's trials, on behalf of its single driver.

    What is decided here is written by `flush` before anyone may act on it.
    """

    def __init__(
        self, study: optuna.Study, config: StudyConfig, context: Context, flush: Flush = in_memory
    ) -> None:
        self.study = study
        self._flush = flush
        self.config = config
        self._context = context
        self.space = context.space
        self.trained = 0
        self.complete: list[TrialRecord] = []
        self._next_index = 0
        self._last_useful = -1
        self._probes: dict[str, ProbeValues] = {}
        self._seen: dict[str, int] = {}
        self._at_rungs: dict[int, dict[int, AtRung]] = {}  # By step and number of the trial.
        self._recover()
        for trial in study.get_trials(deepcopy=False):
            self._note(read_trial(trial))
        self._enqueue_baselines()
        self._flush()

    # -- asking ---------------------------------------------------------------

    def ask(self, *, at_random: bool = False) -> Asked:
        """The next candidate: one that waits, or the sampler's proposal, or a random one.

        The sampler is made anew from (study seed, index) for each, because Optuna stores no
        random state and a resumed study must go on as if it had never stopped.
        """
        waiting = self._waiting()
        index = waiting[0].user_attrs[INDEX] if waiting else self._next_index
        seed = int(np.random.SeedSequence([self.config.seed, index]).generate_state(1)[0])
        sampler = SamplerConfig(name="random") if at_random else self.config.sampler
        self.study.sampler = SAMPLERS[sampler.name](self._context, seed, **sampler.options)
        trial = self.study.ask()
        # Optuna asks a sampler lazily, and never for a trial whose choices are all given; NSGA-II
        # would then leave baselines and requeued trials out of its population.
        _ = trial.relative_params
        if not waiting:
            trial.set_user_attr(INDEX, index)
        self._next_index = max(self._next_index, index + 1)
        return Asked(trial, index, self.space.suggest(trial))

    def _waiting(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))

    def judge(self, asked: Asked, known: Estimate) -> TrialRecord | None:
        """Record the estimate; the trial's record where it ends here, None where it may train."""
        trial, budget = asked.trial, self.config.objective.max_runtime_ms
        trial.set_user_attr(
            CANDIDATE,
            {"architecture": asked.architecture.to_json(), "estimate": known.to_dict()},
        )
        trial.set_constraint("cpu_fallbacks", float(len(known.refusals)))
        if budget is not None:
            trial.set_constraint("runtime_ms_over_budget", known.runtime_ms - budget)
        earlier = self._seen.get(asked.architecture.digest)
        if earlier is not None:
            return self._end(trial, "duplicate", f"the architecture of trial {earlier}")
        self._seen[asked.architecture.digest] = trial.number
        reason = infeasible_reason(known, budget)
        if reason:
            return self._end(trial, "infeasible", reason)
        self._last_useful = max(self._last_useful, asked.index)
        losses = trial.user_attrs.get(LOSSES, 0)
        if losses > MOST_LOSSES:
            reason = f"the driver ended {losses} times while it was running"
            return self.failed(trial, Failed("", reason))
        self._flush()
        return None

    @property
    def in_vain(self) -> int:
        """How many candidates in a row, up to the last, were infeasible or known; 0 where lost
        ones wait to be asked for again."""
        in_vain = self._next_index - 1 - self._last_useful
        return 0 if in_vain and self._waiting() else in_vain

    # -- probing -----------------------------------------------------------------

    def has_rivals(self, asked: Asked) -> bool:
        """Whether it is one of several of which one will be trained. Baselines are not, nor is
        anything before `probing.warm_up_trials`."""
        probing = self.config.probing
        if probing is None or BASELINE in asked.trial.user_attrs:
            return False
        return may_choose(self._context, self.study, probing.warm_up_trials)

    def probes_of(self, architecture: Architecture) -> ProbeValues | None:
        """What all of the study's proxies said of it; None where it has to be probed."""
        known = self._probes.get(architecture.digest, {})
        return known if set(self.config.proxies) <= known.keys() else None

    def note_probes(self, asked: Asked, probes: ProbeValues) -> None:
        """Record what proxies said."""
        known = {**self._probes.get(asked.architecture.digest, {}), **probes}
        self._probes[asked.architecture.digest] = known
        asked.trial.set_user_attr(PROBES, known)
        self._flush()

    def choose(self, candidates: Sequence[Asked]) -> tuple[Asked, list[TrialRecord]]:
        """Which of the probed candidates is to be trained; the records of the others, now ended."""
        architectures = [asked.architecture for asked in candidates]
        best = most_promising(self._context, self.study, architectures)
        chosen = candidates[architectures.index(best)]
        others = [asked for asked in candidates if asked is not chosen]
        # Before the others end: a kill must not reopen the choice.
        chosen.trial.set_user_attr(CHOSEN_OVER, [other.trial.number for other in others])
        self._flush()
        return chosen, [self._passed_over(other, chosen) for other in others]

    def _passed_over(self, asked: Asked, chosen: Asked) -> TrialRecord:
        del self._seen[asked.architecture.digest]  # It may be proposed again.
        return self._end(asked.trial, "probed", f"trial {chosen.trial.number} promised more")

    # -- telling ---------------------------------------------------------------

    def at_rung(self, trial: optuna.Trial, step: int, at: AtRung) -> list[AtRung]:
        """Record a candidate at a rung; who was there before it."""
        if len(self.study.directions) == 1:
            trial.report(log2_score(at.psnr_db, at.runtime_ms, self._log2_c), step)
            self._flush()
        here = self._at_rungs.setdefault(step, {})
        others = list(here.values())
        here[trial.number] = at
        return others

    def trained_ok(
        self, trial: optuna.Trial, known: Estimate, outcome: Trained, parent: int | None = None
    ) -> TrialRecord:
        """Record a run that completed or was pruned; `parent`: the trial whose weights it had."""
        self.trained += 1
        measured: dict[str, Any] = {"curve": outcome.curve, "seconds": outcome.seconds}
        if outcome.inherited is not None:
            measured |= {"inherited": outcome.inherited, "parent": parent}
        if outcome.psnr_db is None:
            return self._end(
                trial, "pruned", f"behind the others at step {outcome.pruned_at}", measured
            )
        value = log2_score(outcome.psnr_db, known.runtime_ms, self._log2_c)
        measured |= {"psnr_db": outcome.psnr_db, "ssim": outcome.ssim, "log2_score": value}
        if outcome.lpips is not None:
            measured["lpips"] = outcome.lpips
        if outcome.weights_sha256 is not None:
            measured["weights_sha256"] = outcome.weights_sha256
        return self._end(trial, "complete", None, measured)

    def failed(self, trial: optuna.Trial, failure: Failed) -> TrialRecord:
        """Record a run that failed; the study goes on."""
        self.trained += 1
        return self._end(trial, "failed", failure.reason)

    def died(self, trial: optuna.Trial, deaths: int) -> None:
        """Record the deaths of a trial's workers: a restart goes on counting there."""
        trial.set_user_attr(DEATHS, deaths)
        self._flush()

    @property
    def _log2_c(self) -> float:
        return self.config.task_facts.log2_c

    def _end(
        self,
        trial: optuna.Trial,
        status: str,
        reason: str | None,
        measured: dict[str, Any] | None = None,
    ) -> TrialRecord:
        result = {"status": status, "reason": reason, **(measured or {})}
        trial.set_user_attr(RESULT, result)
        record = read_trial(self._tell(trial, result))
        self._flush()
        self._note_trained(record)
        return record

    def _tell(self, trial: optuna.Trial, result: dict[str, Any]) -> FrozenTrial:
        status = result["status"]
        if status == "complete":
            runtime_ms = trial.user_attrs[CANDIDATE]["estimate"]["runtime_ms"]
            pareto = len(self.study.directions) == 2
            values = [result["psnr_db"], runtime_ms] if pareto else [result["log2_score"]]
            return self.study.tell(trial.number, values=values)
        # A pruned or infeasible trial tells a sampler something; a failed one does not.
        told = TrialState.PRUNED if status in ("pruned", "infeasible") else TrialState.FAIL
        return self.study.tell(trial.number, state=told)

    # -- going on after a stop ---------------------------------------------------

    def _recover(self) -> None:
        """Requeue the trials that a killed or interrupted driver left running.

        What was passed over, but not yet ended, only ends.
        """
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        # By a driver that was killed before it could end what it had requeued.
        requeued = {trial.user_attrs[INDEX] for trial in self._waiting()}
        chosen = [*running, *self._waiting()]  # Waiting where a driver was killed while requeueing.
        passed_over = {n for trial in chosen for n in trial.user_attrs.get(CHOSEN_OVER, ())}
        for trial in running:
            if trial.number in passed_over:
                self.study.tell(trial.number, state=TrialState.FAIL)
                continue
            attrs = {k: trial.user_attrs[k] for k in _STAYING if k in trial.user_attrs}
            attrs.setdefault(INDEX, self._index_of_lost(trial))
            if CANDIDATE in trial.user_attrs:
                attrs[LOSSES] = trial.user_attrs.get(LOSSES, 0) + 1
            # Without a recorded candidate the choices may be incomplete: let the sampler, which
            # depends on the index alone, make them again.
            params = trial.params if CANDIDATE in trial.user_attrs else {}
            if attrs[INDEX] not in requeued:
                self.study.enqueue_trial(params, user_attrs=attrs)
            self.study.tell(trial.number, state=TrialState.FAIL)

    @property
    def unended(self) -> set[int]:
        """Indices of the trials that wait or run."""
        states = (TrialState.WAITING, TrialState.RUNNING)
        trials = self.study.get_trials(deepcopy=False, states=states)
        return {trial.user_attrs[INDEX] for trial in trials}

    def _index_of_lost(self, lost: FrozenTrial) -> int:
        """The index of a trial that was killed before it was written: the next one then."""
        trials = self.study.get_trials(deepcopy=False)
        known = [t.user_attrs[INDEX] for t in trials if INDEX in t.user_attrs]
        return max(known, default=-1) + 1

    def _note(self, record: TrialRecord) -> None:
        self._next_index = max(self._next_index, record.index + 1)
        self.trained += record.status in TRAINED
        if record.architecture and record.status not in ("infeasible", "duplicate"):
            self._last_useful = max(self._last_useful, record.index)
        if record.architecture and record.probes:
            self._probes.setdefault(record.architecture.digest, {}).update(record.probes)
        if record.architecture and record.status not in _UNSEEN:
            self._seen.setdefault(record.architecture.digest, record.number)
        self._note_trained(record)

    def _note_trained(self, record: TrialRecord) -> None:
        """What a trial showed at its rungs, and what came of it where it is complete."""
        if record.status == "complete":
            self.complete.append(record)
        if record.estimate and record.status in ("complete", "pruned"):
            for step, psnr_db in record.curve:
                at = AtRung(psnr_db, record.estimate.runtime_ms, record.psnr_db)
                self._at_rungs.setdefault(step, {})[record.number] = at

    def _enqueue_baselines(self) -> None:
        """Published systems that lie in the space are the first trials.

        Once the sampler has proposed one, none is added; after a kill in between, the rest is.
        """
        trials = self.study.get_trials(deepcopy=False)
        if not all(BASELINE in trial.user_attrs for trial in trials):
            return
        there = {trial.user_attrs[BASELINE] for trial in trials}
        for name in self.config.baselines:
            architecture = zoo_architecture(name)
            try:
                self.space.architecture(architecture.choices)
            except ValueError:
                continue  # It is trained in the finals all the same.
            if name not in there:
                attrs = {INDEX: self._next_index, BASELINE: name}
                self.study.enqueue_trial(architecture.choices, user_attrs=attrs)
                self._next_index += 1

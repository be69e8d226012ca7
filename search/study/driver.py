"""The driver: the one process that owns a study, from its file to its winner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from search.config import StudyConfig
from search.errors import UserError
from search.training.checkpoint import remove_checkpoint
from search.training.lpips_weights import read_lpips_weights
from search.training.reuse.recipe import Parents, SuperNetwork
from spaces.architecture import Architecture
from spaces.zoo import ZOO

from .data import prepare_data
from .directories import checkpoint_file, probe_directory, sweep_checkpoints, trial_directory
from .donors import Parent, parent_of, super_network_file
from .estimate import Estimate
from .finals import run_finals
from .job import Failed, Job, Probed, ProbeValues, Retried, Rung, Trained
from .ledger import Asked, Ledger
from .limits import check_limits
from .observer import Observer
from .ownership import driver_lock, require_space
from .pool import LocalPool
from .preparation import prepare_training
from .pruning import AtRung, passes, rungs_of
from .ray_pool import RayPool
from .results import StudyResults, read_results
from .retrying import RetryingPool, warn_of
from .run import StudyRun
from .storage import check_storage, owned_study

PATIENCE = 500
"""Candidates in a row that may be infeasible or known before the search gives up."""
STUCK = 20
"""Of them so many are the sampler's, the others random: TPE would propose its best for ever. Where
candidates wait to be compared with others, no more are asked for in vain."""


def run_study(config: StudyConfig, observer: Observer) -> StudyResults:
    """Run `config` to its total of trials and through its finals, or go on where it stopped.

    Raises UserError for what the user can mend. On KeyboardInterrupt everything told so far is
    stored, and the trials that were running are run again by the next call.
    """
    for name in config.baselines:
        if name not in ZOO:
            raise UserError(f"no published system called {name!r}; see 'lensnas zoo list'")
    check_limits(config.limits)
    if config.evaluation.lpips is not None:
        read_lpips_weights(config.evaluation.lpips)  # Refused now, not after the first training.
    check_storage(config.storage_url)
    with driver_lock(config.directory), _pool(config, observer) as pool:
        require_space(config.directory)
        data = prepare_data(config, observer)
        # Not before: data that are refused leave no study.
        with owned_study(config, observer) as (study, flush):
            context, workers = config.sampling_context(), RetryingPool(pool)
            run = StudyRun(config, study, config.training, data, context, workers, observer, flush)
            run = prepare_training(run)
            search(run)
            if config.finals is not None:
                run_finals(run, config.finals)
            return read_results(study, config)


def _pool(config: StudyConfig, observer: Observer) -> LocalPool | RayPool:
    if config.runner.kind == "ray":
        return RayPool(config, observer.warn)
    return LocalPool(config.workers)


def search(run: StudyRun) -> None:
    """The search stage: train candidates until the study's total is reached."""
    _Search(run).run()


@dataclass(frozen=True, eq=False)
class _Candidate:
    """`parent`: number of the trial whose weights it starts from."""

    asked: Asked
    known: Estimate
    parent: int | None = None


class _Search:
    """The search stage: keeps the pool busy with candidates until the total is trained.

    In a study that probes, candidates gather in `round`. Once it is full and all of them are
    probed, the most promising is trained, and the others end.
    """

    def __init__(self, run: StudyRun) -> None:
        self.study_run = run
        self.config, self.pool, self.observer = run.config, run.pool, run.observer
        self.ledger = Ledger(run.study, run.config, run.context, run.flush)
        self.running: dict[str, _Candidate] = {}
        self.probing: dict[str, _Candidate] = {}
        self.round: list[_Candidate] = []
        self.answers: dict[tuple[str, int], bool] = {}  # By the job's key and the rung.
        self.exhausted = False
        # Of trials that ended with their driver before theirs was removed.
        sweep_checkpoints(run.config, self.ledger.unended)
        with_super_network = isinstance(run.config.reuse, SuperNetwork)
        self.shared = super_network_file(run.config) if with_super_network else None

    def run(self) -> None:
        self._progress()
        while True:
            while self._wants_more():
                self._start_next()
            if not self.pool.busy:
                return
            for event in self.pool.wait():
                if isinstance(event, Rung):
                    self._at_rung(event)
                elif isinstance(event, Retried):
                    self._retried(event)
                elif event.key in self.probing:
                    self._probe_ended(event)
                else:
                    self._ended(event)

    def _wants_more(self) -> bool:
        will_train = [c for c in self.probing.values() if c not in self.round]
        planned = self.ledger.trained + len(self.running) + len(will_train)
        wanted = planned < self.config.trials and not self._round_is_full()
        return self.pool.free > 0 and wanted and not self.exhausted

    def _start_next(self) -> None:
        for in_vain in range(PATIENCE):
            asked = self.ledger.ask(at_random=in_vain >= STUCK)
            known = self.study_run.estimate(asked.architecture)
            record = self.ledger.judge(asked, known)
            if record is None:
                self._take(_Candidate(asked, known))
                return
            self.observer.trial(record)
            if record.status == "failed":  # Lost too often: it counts as trained.
                remove_checkpoint(checkpoint_file(self.config, asked.index))
                self._progress()
                return
            if self._round_is_full():
                self._choose()
                return
        self.exhausted = True
        message = (
            f"{PATIENCE} candidates in a row were infeasible or already trained: "
            "widen the space or the run-time budget"
        )
        if not self.ledger.trained and not self.pool.busy:
            raise UserError(message)
        self.observer.warn(f"the search ends early: {message}")

    def _take(self, candidate: _Candidate) -> None:
        """Train it, or probe it first."""
        asked = candidate.asked
        if self.config.probing is None or asked.chosen:
            self._train(candidate)
            return
        if self.ledger.has_rivals(asked):
            self.round.append(candidate)
        probes = self.ledger.probes_of(asked.architecture)
        if probes is None:
            self._probe(candidate)
        else:
            self._probed(candidate, probes)

    def _probe(self, candidate: _Candidate) -> None:
        number = candidate.asked.trial.number
        key = f"probe of trial {number}"
        job = self._job(key, candidate, probe_directory(self.config, number))
        self._start(replace(job, proxies=self.config.proxies), candidate, self.probing)

    def _probe_ended(self, event: Trained | Probed | Failed) -> None:
        candidate = self.probing.pop(event.key)
        probes: ProbeValues = dict.fromkeys(self.config.proxies)
        if isinstance(event, Probed):
            probes = event.values
        elif isinstance(event, Failed):
            self.observer.warn(f"the {event.key} failed: {event.reason}")
        self._probed(candidate, probes)

    def _probed(self, candidate: _Candidate, probes: ProbeValues) -> None:
        self.ledger.note_probes(candidate.asked, probes)
        if candidate in self.round:
            self._choose()
        else:
            self.ledger.choose([candidate.asked])
            self._train(candidate)

    def _round_is_full(self) -> bool:
        """Whether its candidates wait for no others, also because none are found."""
        if self.config.probing is None or not self.round:
            return False
        return len(self.round) >= self.config.probing.candidates or self.ledger.in_vain >= STUCK

    def _choose(self) -> None:
        """Train one of a full round, if all of it are probed."""
        if not self._round_is_full() or any(c in self.round for c in self.probing.values()):
            return
        by_asked = {candidate.asked: candidate for candidate in self.round}
        chosen, passed_over = self.ledger.choose(list(by_asked))
        self.round = []
        for record in passed_over:
            self.observer.trial(record)
        self._train(by_asked[chosen])

    def _train(self, candidate: _Candidate) -> None:
        number = candidate.asked.trial.number
        key = f"trial {number}"
        pruning = self.config.pruning
        parent = self._parent(candidate.asked.architecture)
        job = replace(
            self._job(key, candidate, trial_directory(self.config, number)),
            rungs=rungs_of(candidate.asked.index, pruning) if pruning else (),
            lpips=self.config.evaluation.lpips,
            donor=self.shared if parent is None else parent.file,
            deaths=candidate.asked.deaths,
            checkpoint=checkpoint_file(self.config, candidate.asked.index),
        )
        trial = None if parent is None else parent.trial
        self._start(job, replace(candidate, parent=trial), self.running)

    def _parent(self, architecture: Architecture) -> Parent | None:
        if not isinstance(self.config.reuse, Parents):
            return None
        return parent_of(architecture, self.ledger.complete, self.config)

    def _job(self, key: str, candidate: _Candidate, directory: Path) -> Job:
        return Job(
            key=key,
            architecture=candidate.asked.architecture,
            recipe=self.study_run.recipe,
            data=self.study_run.data,
            seed=self.config.seed,
            directory=directory,
            threads=self.pool.threads,
            limits=self.config.limits,
        )

    def _start(self, job: Job, candidate: _Candidate, among: dict[str, _Candidate]) -> None:
        self.pool.start(job)
        among[job.key] = candidate
        self.observer.started(job.key, candidate.known)

    def _retried(self, event: Retried) -> None:
        if event.key in self.running:
            self.ledger.died(self.running[event.key].asked.trial, event.deaths)
        warn_of(event, self.observer)

    def _at_rung(self, event: Rung) -> None:
        place = event.key, event.step
        if place not in self.answers:
            self.answers[place] = self._passes(event)
        # One that was started again hears the same, and counts once at each rung.
        self.pool.answer(event.key, self.answers[place])

    def _passes(self, event: Rung) -> bool:
        training = self.running[event.key]
        self.observer.rung(event.key, event.step, event.psnr_db)
        at = AtRung(event.psnr_db, training.known.runtime_ms)
        others = self.ledger.at_rung(training.asked.trial, event.step, at)
        assert self.config.pruning is not None
        pareto = self.config.objective.kind == "pareto"
        return passes(at, others, self.config.pruning, pareto=pareto)

    def _ended(self, event: Trained | Probed | Failed) -> None:
        assert not isinstance(event, Probed)
        training = self.running.pop(event.key)
        trial = training.asked.trial
        if isinstance(event, Failed):
            record = self.ledger.failed(trial, event)
        else:
            record = self.ledger.trained_ok(trial, training.known, event, training.parent)
        remove_checkpoint(checkpoint_file(self.config, training.asked.index))
        self.observer.trial(record)
        self._progress()

    def _progress(self) -> None:
        self.observer.stage("Search", self.ledger.trained, self.config.trials)

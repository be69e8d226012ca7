"""The driver: the one process that owns a study, from its file to its winner."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from search.config import StudyConfig
from search.errors import UserError
from search.training.lpips_weights import read_lpips_weights
from search.training.reuse.recipe import Parents, SuperNetwork
from spaces.zoo import ZOO

from .data import prepare_data
from .directories import trial_directory
from .donors import parent_of, super_network_file
from .estimate import Estimate
from .finals import run_finals
from .job import Failed, Job, Rung, Trained
from .ledger import Asked, Ledger
from .observer import Observer
from .pool import LocalPool
from .preparation import prepare_training
from .pruning import AtRung, passes, rungs_of
from .results import StudyResults, read_results
from .run import StudyRun
from .storage import create_or_resume

PATIENCE = 500
"""Candidates in a row that may be infeasible or known before the search gives up."""
STUCK = 20
"""Of them so many are the sampler's, the others random: TPE would propose its best for ever."""


def run_study(config: StudyConfig, observer: Observer) -> StudyResults:
    """Run `config` to its total of trials and through its finals, or go on where it stopped.

    Raises UserError for what the user can mend. On KeyboardInterrupt everything told so far is
    stored, and the trials that were running are run again by the next call.
    """
    for name in config.baselines:
        if name not in ZOO:
            raise UserError(f"no published system called {name!r}; see 'lensnas zoo list'")
    if config.evaluation.lpips is not None:
        read_lpips_weights(config.evaluation.lpips)  # Refused now, not after the first training.
    with driver_lock(config.directory), LocalPool(config.workers) as pool:
        data = prepare_data(config, observer)
        study = create_or_resume(config)  # Not before: data that are refused leave no study.
        context = config.sampling_context()
        run = StudyRun(config, study, config.training, data, context, pool, observer)
        run = prepare_training(run)
        search(run)
        if config.finals is not None:
            run_finals(run, config.finals)
        return read_results(study, config)


def search(run: StudyRun) -> None:
    """The search stage: train candidates until the study's total is reached."""
    _Search(run).run()


@dataclass(frozen=True)
class _Training:
    """`parent`: number of the trial whose weights it started from."""

    asked: Asked
    known: Estimate
    parent: int | None


class _Search:
    """The search stage: keeps the pool busy with candidates until the total is trained."""

    def __init__(self, run: StudyRun) -> None:
        self.study_run = run
        self.config, self.pool, self.observer = run.config, run.pool, run.observer
        self.ledger = Ledger(run.study, run.config, run.context)
        self.running: dict[str, _Training] = {}
        self.exhausted = False

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
                else:
                    self._ended(event)

    def _wants_more(self) -> bool:
        planned = self.ledger.trained + len(self.running)
        return self.pool.free > 0 and planned < self.config.trials and not self.exhausted

    def _start_next(self) -> None:
        for in_vain in range(PATIENCE):
            asked = self.ledger.ask(at_random=in_vain >= STUCK)
            known = self.study_run.estimate(asked.architecture)
            record = self.ledger.judge(asked, known)
            if record is None:
                self._train(asked, known)
                return
            self.observer.trial(record)
        self.exhausted = True
        message = (
            f"{PATIENCE} candidates in a row were infeasible or already trained: "
            "widen the space or the run-time budget"
        )
        if not self.ledger.trained and not self.running:
            raise UserError(message)
        self.observer.warn(f"the search ends early: {message}")

    def _train(self, asked: Asked, known: Estimate) -> None:
        number = asked.trial.number
        key = f"trial {number}"
        pruning = self.config.pruning
        job = Job(
            key=key,
            architecture=asked.architecture,
            recipe=self.study_run.recipe,
            data=self.study_run.data,
            seed=self.config.seed,
            directory=trial_directory(self.config, number),
            rungs=rungs_of(asked.index, pruning) if pruning else (),
            threads=self.pool.threads,
            lpips=self.config.evaluation.lpips,
        )
        parent = None
        match self.config.reuse:
            case Parents():
                parent = parent_of(asked.architecture, self.ledger.complete, self.config)
                job = replace(job, donor=parent.file if parent else None)
            case SuperNetwork():
                job = replace(job, donor=super_network_file(self.config))
        self.pool.start(job)
        self.running[key] = _Training(asked, known, parent.trial if parent else None)
        self.observer.started(key, known)

    def _at_rung(self, event: Rung) -> None:
        training = self.running[event.key]
        self.observer.rung(event.key, event.step, event.psnr_db)
        at = AtRung(event.psnr_db, training.known.runtime_ms)
        others = self.ledger.at_rung(training.asked.trial, event.step, at)
        assert self.config.pruning is not None
        pareto = self.config.objective.kind == "pareto"
        self.pool.answer(event.key, passes(at, others, self.config.pruning, pareto=pareto))

    def _ended(self, event: Trained | Failed) -> None:
        training = self.running.pop(event.key)
        trial = training.asked.trial
        if isinstance(event, Failed):
            record = self.ledger.failed(trial, event)
        else:
            record = self.ledger.trained_ok(trial, training.known, event, training.parent)
        self.observer.trial(record)
        self._progress()

    def _progress(self) -> None:
        self.observer.stage("Search", self.ledger.trained, self.config.trials)


@contextmanager
def driver_lock(directory: Path) -> Iterator[None]:
    """Hold a study for one driver; UserError where another holds it or it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / ".driver.lock").open("w")
    except OSError as error:
        raise UserError(f"cannot write to {directory}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"another 'lensnas run' is working on {directory}") from None
        if shutil.disk_usage(directory).free < 50_000_000:
            raise UserError(f"less than 50 MB are free on the disk of {directory}")
        yield

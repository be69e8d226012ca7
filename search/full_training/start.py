"""A full training from its plan to its record: all that can be refused is, before TensorFlow."""

from __future__ import annotations

import shutil

from search.artifacts import WEIGHTS, remove
from search.study.data import prepare_data
from search.study.observer import Observer
from search.study.ownership import driver_lock, require_space
from search.study.preparation import KEPT
from search.study.quiet import native_stderr_hidden
from search.training.checkpoint import CHECKPOINT

from .plan import TrainingPlan
from .record import RECORD, TrainingRecord, finished
from .screen import Screen

TEACHER = "teacher"
"""The folder of a teacher that is trained first."""


def full_training(
    plan: TrainingPlan, screen: Screen, observer: Observer, *, force: bool = False
) -> TrainingRecord:
    """Train by `plan`, or go on where it was stopped; a training that has ended is left as it is.

    `observer` hears of the data. With `force` all is made anew. Raises UserError for what the user
    can mend, such as a loss that explodes, and `TrainingStoppedError` where the screen stops it.
    """
    with driver_lock(plan.directory, by="lensnas train"):
        known = finished(plan, force=force)
        if known is not None:
            screen.note("it is trained already (--force trains it anew)")
            return known
        require_space(plan.directory)
        data = prepare_data(plan.config, observer)
        if force:
            _clear(plan)
        with native_stderr_hidden():
            from .run import prepare_machine, run

            prepare_machine(plan.seed)
        return run(plan, data, screen, observer)


def _clear(plan: TrainingPlan) -> None:
    """Remove what a training leaves, and nothing else of the folder."""
    shutil.rmtree(plan.directory / TEACHER, ignore_errors=True)
    # The record is the last: without one the rest would be taken for somebody else's.
    for name in (WEIGHTS, CHECKPOINT, KEPT, RECORD):
        remove(plan.directory / name)

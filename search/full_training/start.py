"""A full training from its plan to its record: all that can be refused is, before TensorFlow."""

from __future__ import annotations

import shutil
from pathlib import Path

from search.artifacts import WEIGHTS, remove
from search.errors import UserError
from search.study.data import prepare_data
from search.study.directories import EXPORT
from search.study.job import DataSource
from search.study.observer import Observer
from search.study.ownership import driver_lock, require_space
from search.study.preparation import KEPT
from search.study.quiet import native_stderr_hidden
from search.training.checkpoint import CHECKPOINT, remove_checkpoint

from .plan import TrainingPlan
from .record import TrainingRecord, finished, forget_result, require_own_folder
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
    require_own_folder(plan.directory)  # Before there is a lock in somebody else's.
    with driver_lock(plan.directory, by="lensnas train"):
        known = None if force else finished(plan)
        if known is not None:
            # A kill may have come between its record and this.
            remove_checkpoint(plan.directory / CHECKPOINT)
            screen.note("it is trained already (--force trains it anew)")
            return known
        require_space(plan.directory)
        data = prepare_data(plan.config, observer)
        if force:
            _clear(plan.directory, screen)
        return _trained(plan, data, screen, observer)


def _trained(
    plan: TrainingPlan, data: DataSource, screen: Screen, observer: Observer
) -> TrainingRecord:
    """The training itself, for which TensorFlow is loaded."""
    with native_stderr_hidden():
        from .run import prepare_machine, run

        prepare_machine(plan.seed)
    try:
        return run(plan, data, screen, observer)
    except OSError as error:
        if error.filename or not error.strerror:
            raise
        # As of a full disk, which does not say what it was to keep.
        raise UserError(f"{error.strerror}: {plan.directory}") from None


def _clear(directory: Path, screen: Screen) -> None:
    """Remove what a training goes on from and ends with, and nothing else of the folder.

    The record stays until the new one takes its place: without any, a kill before that would
    leave a folder that is taken for somebody else's.
    """
    forget_result(directory)
    # What cannot be removed must not be gone on from: that ends the command.
    if (directory / TEACHER).exists():
        shutil.rmtree(directory / TEACHER)
    for name in (WEIGHTS, CHECKPOINT, KEPT):
        remove(directory / name)
    if (directory / EXPORT).exists():
        screen.note(f"{directory / EXPORT} is of the weights that were here, and stays")

"""`StudyRun`: what the stages of one running study share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optuna

from search.config import StudyConfig
from search.samplers import Context
from search.training.recipe import Recipe
from spaces.architecture import Architecture

from .estimate import Estimate
from .job import DataSource
from .observer import Observer
from .pool import Pool
from .storage import Flush, in_memory


@dataclass(frozen=True)
class StudyRun:
    """One study in the hands of its driver.

    `flush` writes what was changed in `study`, which is the driver's copy in memory.
    `recipe` and `data` as every candidate gets them: the study's own, until `prepare_training` has
    chosen pairs and trained a teacher.
    """

    config: StudyConfig
    study: optuna.Study
    recipe: Recipe
    data: DataSource
    context: Context
    pool: Pool[Any]
    observer: Observer
    flush: Flush = in_memory

    def estimate(self, architecture: Architecture) -> Estimate:
        """What is known of a candidate before it is trained."""
        return self.context.estimate(architecture)

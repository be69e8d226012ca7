"""`StudyRun`: what the stages of one running study share."""

from __future__ import annotations

from dataclasses import dataclass

import optuna

from latency import LatencyOracle
from search.config import StudyConfig
from search.training.recipe import Recipe
from spaces.architecture import Architecture

from .estimate import Estimate, estimate
from .job import DataSource
from .observer import Observer
from .pool import Pool


@dataclass(frozen=True)
class StudyRun:
    """One study in the hands of its driver.

    `recipe` and `data` as every candidate gets them: the study's own, until `prepare_training` has
    chosen pairs and trained a teacher.
    """

    config: StudyConfig
    study: optuna.Study
    recipe: Recipe
    data: DataSource
    oracle: LatencyOracle
    pool: Pool
    observer: Observer

    def estimate(self, architecture: Architecture) -> Estimate:
        """What is known of a candidate before it is trained."""
        return estimate(architecture, self.config.task_facts, self.oracle)

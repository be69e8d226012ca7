"""Which checkpoint belongs to which job."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latency.measurements.files import file_sha256
from search.training.checkpoint import Checkpoints

from .job import Job
from .versions import versions_here


def checkpoints_of(job: Job) -> Checkpoints | None:
    """Where a worker keeps its progress with `job`, None where it keeps none."""
    if job.checkpoint is None:
        return None
    return Checkpoints(job.checkpoint, result_digest(job), job.limits.checkpoint_seconds)


def result_digest(job: Job) -> str:
    """Of everything that decides the result of a training: neither names, places nor limits.

    OSError where weights that it starts from or learns from cannot be read.
    """
    teacher = job.recipe.teacher
    decides: dict[str, Any] = {
        "architecture": job.architecture.to_json(),
        "recipe": job.recipe.model_dump(mode="json"),
        "data": {**asdict(job.data), "root": job.data.root.name},
        "seed": job.seed,
        "rungs": job.rungs,
        "donor": None if job.donor is None else file_sha256(job.donor.path),
        "teacher": None
        if teacher is None or teacher.weights is None
        else file_sha256(Path(teacher.weights)),
        "versions": versions_here(),
    }
    if decides["teacher"]:
        decides["recipe"]["teacher"].pop("weights")
    weights = job.recipe.perceptual_weights.items()
    decides["recipe"]["perceptual_weights"] = {
        loss: file_sha256(Path(file)) if Path(file).is_file() else file for loss, file in weights
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()

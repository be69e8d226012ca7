"""The training itself: the teacher, where there is one, then the network."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from search.artifacts import WEIGHTS, save_weights
from search.data.sample import evenly_spaced
from search.errors import UserError
from search.networks import Candidate, candidate, zoo_architecture
from search.study.checkpoints import checkpoints_of
from search.study.data import open_pairs
from search.study.job import DataSource, Job
from search.study.observer import Observer
from search.study.preparation import KEPT, kept_pairs
from search.training.checkpoint import CHECKPOINT, remove_checkpoint
from search.training.data import TrainingData, training_data
from search.training.hardware import use_machine
from search.training.loop import Outcome, TrainingDivergedError, train
from search.training.published import teacher_recipe
from search.training.recipe import Recipe
from search.training.teaching import make_teacher
from spaces.architecture import Architecture
from spaces.ops.keras_backend import Network

from .frames import WholeImages
from .plan import TrainingPlan
from .record import Result, TrainingRecord, started
from .screen import Screen
from .start import TEACHER
from .watcher import Watcher

VALIDATIONS = 20
"""Over a training, at equal distances; one more before its first step."""
THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class _Ended:
    """A network that was trained, what was measured, and the SHA-256 of the file of weights."""

    model: Network
    outcome: Outcome
    validation: str
    weights_sha256: str


def prepare_machine(seed: int) -> None:
    """Settle what TensorFlow takes of this machine, and let it find its devices."""
    use_machine(THREADS, seed)
    tf.constant(0)


def run(plan: TrainingPlan, data: DataSource, screen: Screen, observer: Observer) -> TrainingRecord:
    """Train by `plan`, from the checkpoint where there is one; the record is written.

    Raises as `full_training`.
    """
    begun = time.perf_counter()
    record = started(plan, open_pairs(data, "val").meta.dataset)
    record.write(plan.directory)
    recipe = plan.recipe
    if recipe.keep_pairs < 1:
        pairs = kept_pairs(plan.directory / KEPT, data, recipe.keep_pairs, observer)
        data = replace(data, kept=pairs)
        recipe = recipe.model_copy(update={"keep_pairs": 1.0})
    taught = _with_teacher(recipe, plan, data, screen)
    job = _job(plan, plan.origin, plan.architecture, taught, data, plan.directory)
    trained = _train(job, screen)
    outcome = trained.outcome
    assert outcome.psnr_db is not None
    assert outcome.ssim is not None
    result = Result(
        psnr_db=outcome.psnr_db,
        ssim=outcome.ssim,
        curve=tuple(outcome.curve),
        validation=trained.validation,
        parameters=trained.model.deployed().count_params(),
        seconds={**outcome.seconds, "total": time.perf_counter() - begun},
        weights_sha256=trained.weights_sha256,
    )
    record = replace(record, result=result)
    record.write(plan.directory)
    remove_checkpoint(plan.directory / CHECKPOINT)
    return record


def _with_teacher(recipe: Recipe, plan: TrainingPlan, data: DataSource, screen: Screen) -> Recipe:
    """The recipe with a file of its teacher's weights, which are trained once."""
    teacher = recipe.teacher
    if teacher is None or teacher.weights is not None:
        return recipe
    directory = plan.directory / TEACHER
    if not (directory / WEIGHTS).exists():
        title, architecture = f"teacher {teacher.system}", zoo_architecture(teacher.system)
        job = _job(plan, title, architecture, teacher_recipe(recipe), data, directory)
        _train(job, screen)
    remove_checkpoint(directory / CHECKPOINT)  # Also of a teacher that was killed before this.
    taught = teacher.model_copy(update={"weights": str(directory / WEIGHTS)})
    return recipe.model_copy(update={"teacher": taught})


def _job(
    plan: TrainingPlan,
    title: str,
    architecture: Architecture,
    recipe: Recipe,
    data: DataSource,
    directory: Path,
) -> Job:
    steps = recipe.steps
    return Job(
        title, architecture, recipe, data, plan.seed, directory,
        rungs=tuple(sorted({steps * n // VALIDATIONS for n in range(VALIDATIONS)})),
        threads=THREADS, limits=plan.config.limits, checkpoint=directory / CHECKPOINT,
    )  # fmt: skip


def _train(job: Job, screen: Screen) -> _Ended:
    """Train by `job`; weights, checkpoint and logs are in its directory."""
    # Whatever was trained before in this process: this network starts as in a process of its own.
    keras.utils.set_random_seed(job.seed)
    network = candidate(job.architecture)
    data = _data(job, network)
    model = Network(network.network, network.input_channels)
    teacher = make_teacher(job.recipe, data, seed=job.seed)
    chosen = evenly_spaced(len(data.held_out), job.data.validation_images)
    images = WholeImages(model, network, data.held_out, data.encode, chosen)
    watcher = Watcher(job, images, screen)
    screen.note(f"validation: {images.described()}")
    try:
        outcome = train(
            model,
            job.recipe,
            data,
            seed=job.seed,
            residual=network.residual,
            tone=network.tone,
            teacher=teacher,
            rungs=job.rungs,
            checkpoints=checkpoints_of(job),
            measure=watcher.measure,
            onlooker=watcher,
        )
    except TrainingDivergedError as error:
        raise UserError(f"{job.key}: {error}: a lower learning_rate may help") from None
    except tf.errors.ResourceExhaustedError:
        raise UserError(f"{job.key}: out of memory: a smaller batch or crop may fit") from None
    finally:
        watcher.close()
    sha256 = save_weights(job.directory, [np.asarray(w) for w in model.get_weights()])
    return _Ended(model, outcome, images.described(), sha256)


def _data(job: Job, network: Candidate) -> TrainingData:
    return training_data(
        open_pairs(job.data, "train"),
        open_pairs(job.data, "val"),
        network.input_channels,
        encoding=job.recipe.encoding,
        validation_images=0,
    )

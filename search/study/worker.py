"""The child process that trains one candidate. It never touches the study's storage.

Importing this module imports TensorFlow: the fork server preloads it, so that each
job gets a fresh process (no memory grows from trial to trial) for the price of a fork.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from search.artifacts import read_weights, save_preview, save_weights
from search.data.isp import quick_look
from search.data.sample import evenly_spaced
from search.errors import UserError
from search.networks import Candidate, candidate
from search.training.data import TrainingData, training_data
from search.training.evaluation import predict_images
from search.training.hardware import use_machine
from search.training.loop import KeepGoing, TrainingDivergedError, train
from search.training.lpips import mean_lpips
from search.training.proxies import Subject, measured
from search.training.reuse.head import keep_better_head
from search.training.reuse.inheritance import Donor, Inherited, donor_of, inherit
from search.training.reuse.storage import load_donor, save_donor
from search.training.reuse.super_network import train_super_network
from search.training.teaching import make_teacher
from spaces.ops.keras_backend import Network
from spaces.wiring import wiring

from .checkpoints import checkpoints_of
from .data import open_pairs
from .job import (
    AnyJob,
    DonorFile,
    Failed,
    Job,
    Prevented,
    Probed,
    Rung,
    SuperNetworkJob,
    Trained,
)

PREVIEW_IMAGES = 3


def main(job: AnyJob, pipe: Connection) -> None:
    """Run `job`, talking to the driver over `pipe`; never ends on a Rung."""
    _end_with_driver()
    try:
        _log_to(job.directory / "log.txt", go_on=job.deaths > 0)
        pipe.send(_run(job, pipe) if isinstance(job, Job) else _share(job, pipe))
    except TrainingDivergedError as error:
        pipe.send(Failed(job.key, str(error)))
    except (BrokenPipeError, EOFError):
        return
    except (UserError, OSError) as error:
        pipe.send(Prevented(job.key, _plain(error, job.directory)))
    except tf.errors.ResourceExhaustedError as error:
        pipe.send(Failed(job.key, f"out of memory: {_first_line(error)}"))
    except Exception as error:
        sys.excepthook(*sys.exc_info())
        pipe.send(Failed(job.key, f"{type(error).__name__}: {_first_line(error)}"))


def _run(job: Job, pipe: Connection) -> Trained | Probed:
    started = time.perf_counter()
    network = candidate(job.architecture)
    data = _prepare(job, network.input_channels)
    model = Network(network.network, network.input_channels)
    teacher = make_teacher(job.recipe, data, seed=job.seed)
    if job.proxies:
        subject = Subject(model, network, job.recipe, data, job.seed, teacher)
        values = measured(job.proxies, subject)
        return Probed(job.key, values, _spent(started))
    recipe, inherited = job.recipe, None
    if job.donor is not None:
        inherited = _inherit(model, network, job.donor)
        if inherited.head and recipe.closed_form_images:
            keep_better_head(model, network, recipe, data, seed=job.seed)
            recipe = recipe.model_copy(update={"closed_form_images": 0})
    outcome = train(
        model,
        recipe,
        data,
        seed=job.seed,
        residual=network.residual,
        tone=network.tone,
        teacher=teacher,
        rungs=job.rungs,
        keep_going=_ask(job, pipe),
        checkpoints=checkpoints_of(job),
    )
    lpips = sha256 = None
    if outcome.psnr_db is not None:
        lpips = mean_lpips(model, data.validation, job.lpips) if job.lpips else None
        sha256 = save_weights(job.directory, [np.asarray(w) for w in model.get_weights()])
        save_preview(job.directory, _preview(model, data))
    return Trained(
        key=job.key,
        curve=tuple(outcome.curve),
        psnr_db=outcome.psnr_db,
        ssim=outcome.ssim,
        pruned_at=outcome.pruned_at,
        parameters=model.deployed().count_params(),
        seconds=_spent(started, outcome.seconds),
        lpips=lpips,
        inherited=None if inherited is None else inherited.share,
        weights_sha256=sha256,
    )


def _share(job: SuperNetworkJob, pipe: Connection) -> Trained:
    started = time.perf_counter()
    outcome = train_super_network(
        job.space,
        job.recipe,
        job.settings,
        _prepare(job, job.space.input_channels),
        seed=job.seed,
        rungs=job.rungs,
        keep_going=_ask(job, pipe),
    )
    save_donor(job.path, outcome.donor)
    return Trained(
        key=job.key,
        curve=tuple(outcome.curve),
        psnr_db=outcome.curve[-1][1],
        ssim=None,
        pruned_at=None,
        parameters=sum(array.size for weights in outcome.donor.weights for array in weights),
        seconds=_spent(started),
    )


def _prepare(job: AnyJob, input_channels: int) -> TrainingData:
    """Devices, threads and random state as `job` wants them, and its data."""
    use_machine(job.threads, job.seed)
    return training_data(
        open_pairs(job.data, "train"),
        open_pairs(job.data, "val"),
        input_channels,
        encoding=job.recipe.encoding,
        validation_images=job.data.validation_images,
    )


def _ask(job: AnyJob, pipe: Connection) -> KeepGoing:
    """Report a rung and wait for the driver's word."""

    def keep_going(step: int, psnr_db: float) -> bool:
        pipe.send(Rung(job.key, step, psnr_db))
        answer: bool = pipe.recv()
        return answer

    return keep_going


def _inherit(model: Network, network: Candidate, file: DonorFile) -> Inherited:
    layers = wiring(network.network, network.input_channels)
    try:
        donor = _donor(file)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"the weights to inherit are damaged: {file.path}: {error}; delete it to do without"
        ) from None
    return inherit(model, layers, donor)


def _donor(file: DonorFile) -> Donor:
    if file.architecture is None:
        return load_donor(file.path)
    other = candidate(file.architecture)
    parent = Network(other.network, other.input_channels)
    parent.set_weights(read_weights(file.path, file.sha256))
    return donor_of(parent, wiring(other.network, other.input_channels))


def _spent(started: float, phases: Mapping[str, float] | None = None) -> dict[str, float]:
    """Wall time by phase and in all, and CPU time, in seconds."""
    total = {"total": time.perf_counter() - started, "cpu": time.process_time()}
    return {phase: round(value, 4) for phase, value in {**(phases or {}), **total}.items()}


def _preview(model: Network, data: TrainingData) -> dict[str, np.ndarray]:
    """A few validation images as the network saw, made and should have made them."""
    shown = evenly_spaced(len(data.held_out), PREVIEW_IMAGES)
    pairs = [data.held_out.read(i) for i in shown]
    outputs = [predict_images(model, data.encode(x)[None])[0] for x, _ in pairs]
    sensor = data.held_out.meta.sensor
    return {
        "input": np.stack([quick_look(x, sensor) if sensor else x[..., :3] for x, _ in pairs]),
        "output": np.stack([np.round(y * 255.0).astype(np.uint8) for y in outputs]),
        "target": np.stack([y for _, y in pairs]),
    }


def _end_with_driver() -> None:
    """A worker whose driver was killed has nobody to report to and ends at once."""
    driver = parent_process()
    if driver is None:
        return

    def watch() -> None:
        connection.wait([driver.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _log_to(path: Path, *, go_on: bool) -> None:
    """Send this process's output, TensorFlow's included, to the trial's own log.

    `go_on`: behind what an earlier worker said before it died.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    how = os.O_APPEND if go_on else os.O_TRUNC
    log = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _plain(error: Exception, directory: Path) -> str:
    """For example "No space left on device: runs/x/trials/00003"."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename or directory}"
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:300]

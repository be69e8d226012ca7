"""Every published system trained on one data set under one budget, each in a fresh process."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from latency import LatencyOracle
from search.artifacts import write_bytes
from search.networks import zoo_architecture
from search.objective import log2_score
from search.study.estimate import estimate
from search.tasks import Task
from search.training.lpips_weights import read_lpips_weights
from spaces.zoo import ZooSystem

FEWEST_STEPS = 20
"""A system that cannot make so many within the budget does not fit this machine."""


@dataclass(frozen=True)
class Budget:
    """Training of each system: `seconds` of it on this machine, or so many `steps`.

    Crops and batches are those of the recipes, 64 pixels and 8 where they say nothing.
    """

    seconds: float | None
    steps: int | None
    seed: int = 0


@dataclass(frozen=True)
class Entry:
    """One row. `psnr_db`, `ssim`: on the validation split; None where `problem` says why. `lpips`:
    there too, where it was asked for.

    `step_ms`: one training step's. `runtime_ms` and its interval: predicted on the task's phone.
    `left_out`: losses for which there are no weights.
    """

    system: str
    steps: int | None = None
    step_ms: float | None = None
    psnr_db: float | None = None
    ssim: float | None = None
    runtime_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    runs_on_gpu: bool = True
    left_out: tuple[str, ...] = ()
    problem: str | None = None
    lpips: float | None = None

    def log2_score(self, task: Task) -> float | None:
        """Of what was trained and runs on the phone's GPU."""
        if self.psnr_db is None or self.runtime_ms is None or not self.runs_on_gpu:
            return None
        return log2_score(self.psnr_db, self.runtime_ms, task.log2_c)


def leaderboard(
    systems: Sequence[ZooSystem],
    task: Task,
    data: Path,
    budget: Budget,
    perceptual_weights: Mapping[str, str],
    directory: Path,
    lpips: Path | None = None,
) -> Iterator[Entry]:
    """One entry a system, as each is done. `data`: a prepared data set. `lpips`: its weights.

    What an earlier call with the same settings left in `directory` is not trained again.
    """
    digest = None if lpips is None else read_lpips_weights(lpips).digest
    oracle = LatencyOracle(task.device)
    for system in systems:
        settings = _settings(system, budget, perceptual_weights, data)
        settings |= {} if digest is None else {"lpips": digest}
        path = directory / f"{system.name}.json"
        found = _stored(path, settings)
        if found is None:
            found = _train(system, budget, perceptual_weights, data, lpips)
            if "problem" not in found:  # else another attempt may succeed
                document = {"settings": settings, "entry": found}
                write_bytes(path, json.dumps(document, indent=2).encode())
        known = estimate(zoo_architecture(system.name), task, oracle)
        yield Entry(
            system.name,
            runtime_ms=known.runtime_ms,
            low_ms=known.low_ms,
            high_ms=known.high_ms,
            runs_on_gpu=not known.refusals,
            **{**found, "left_out": tuple(found["left_out"])},
        )


def _settings(
    system: ZooSystem, budget: Budget, perceptual_weights: Mapping[str, str], data: Path
) -> dict[str, Any]:
    """What decides the result, in JSON's types."""
    settings = {
        "budget": asdict(budget),
        "perceptual_weights": dict(perceptual_weights),
        "data": str(data.resolve()),
        "recipe": system.recipe,
        "parameters": system.parameters,
    }
    comparable: dict[str, Any] = json.loads(json.dumps(settings))
    return comparable


def _stored(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text())
        if "lpips" not in settings:  # It may have been measured, and decided nothing else.
            document["settings"].pop("lpips", None)
            document["entry"].pop("lpips", None)
        return document["entry"] if document["settings"] == settings else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _train(
    system: ZooSystem,
    budget: Budget,
    perceptual_weights: Mapping[str, str],
    data: Path,
    lpips: Path | None,
) -> dict[str, Any]:
    """In a process of its own: memory is given back, and a crash costs one row."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            weights = dict(perceptual_weights)
            job = pool.submit(train_system, system.name, budget, weights, data, lpips)
            return job.result()
    except BrokenProcessPool:
        return {"left_out": (), "problem": "its training was killed, probably for want of memory"}
    except Exception as error:  # One system's must not cost the others their rows.
        first_line = (str(error).strip().splitlines() or [""])[0]
        return {"left_out": (), "problem": f"{type(error).__name__}: {first_line}"}


def train_system(
    name: str,
    budget: Budget,
    perceptual_weights: dict[str, str],
    data: Path,
    lpips: Path | None = None,
) -> dict[str, Any]:
    """Runs in the child: the trained part of an `Entry` as a mapping."""
    from search.study.quiet import native_stderr_hidden

    with native_stderr_hidden():
        from search.training.contest import run

        return run(name, budget, perceptual_weights, data, lpips)

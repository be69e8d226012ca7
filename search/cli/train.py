"""`lensnas train`: one network of a study, by a full recipe."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import RUNS, AsJson, Runs, StudyArgument, load_results

if TYPE_CHECKING:
    from search.full_training.plan import TrainingPlan
    from search.full_training.record import TrainingRecord


def train(
    study: StudyArgument,
    trial: Annotated[
        int | None, typer.Option(help="The number of a trial; default: the winner.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="A YAML file of settings instead of those of the study's training."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Default: the recipe file's, or 10 times the study's longest."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights and batches; default: the study's.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="A system of the zoo to learn from; it is trained first.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, or bfloat16 for GPUs that compute in it.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Its folder; default: one under trained of the study."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train anew, whatever its folder has.")
    ] = False,
    runs: Runs = RUNS,
    as_json: AsJson = False,
) -> None:
    """Train one network of a study to the end: docs/training.md.

    Ctrl-C stops it with a checkpoint, and after any kill the same command goes on, to the same
    weights. Its folder has the weights, a record and a log for TensorBoard.

    Exit codes: 0 when it is trained, 2 for what you can mend, 130 after Ctrl-C.
    """
    from search.study.solving import solve_with_one_thread

    solve_with_one_thread()  # As in a study's workers: before anything imports NumPy.

    from rich.console import Console

    from search.full_training.plan import Wishes, planned
    from search.full_training.start import full_training
    from search.training.onlooker import TrainingStoppedError

    from .training_progress import TrainingScreen

    results = load_results(study, runs)
    plan = planned(results, Wishes(trial, recipe, steps, seed, teacher, precision, output))
    console = Console(stderr=True)
    console.print(_introduction(plan), highlight=False, markup=False, soft_wrap=True)
    try:
        with TrainingScreen(console) as screen:
            record = full_training(plan, screen, screen, force=force)
    except TrainingStoppedError as stopped:
        checkpoint = f"with a checkpoint in {plan.directory}" if stopped.kept else "no checkpoint"
        message = f"stopped after step {stopped.step}, {checkpoint}"
        console.print(message, highlight=False, markup=False, soft_wrap=True)
        if force:
            console.print("leave out --force to go on: it would begin anew", soft_wrap=True)
        raise KeyboardInterrupt from None
    if as_json:
        document = {"directory": str(plan.directory), **dataclasses.asdict(record)}
        print(json.dumps(document, indent=2))
    else:
        print(_summary(plan, record))
        command = f"lensnas export {study} --trained {plan.directory}"
        console.print(f"Next: {command}", highlight=False, markup=False, soft_wrap=True)


def _introduction(plan: TrainingPlan) -> str:
    """What is trained, and on what the numbers below it are measured."""
    recipe, config = plan.recipe, plan.config
    return (
        f"{plan.origin} of study {config.name}: {recipe.steps} steps (a trial has "
        f"{config.training.steps}) from seed {plan.seed}, kept in {plan.directory}\n"
        f"dB: PSNR on the first {recipe.rung_images} validation images of {config.data.dataset} "
        "data, in the end on all"
    )


def _summary(plan: TrainingPlan, record: TrainingRecord) -> str:
    result = record.result
    assert result is not None
    return (
        f"{record.origin} of study {plan.config.name} is trained: {result.psnr_db:.2f} dB, SSIM "
        f"{result.ssim:.4f} after {plan.recipe.steps} steps\n"
        f"  on {record.dataset}, {result.validation}\n"
        f"  {plan.directory}"
    )

"""All figures by name: what the page shows, and what a dashboard can ask for.

Each `draw` is a pure function of what has been recorded (and of the device profiles
that are installed); it returns a figure that says so where there is nothing to see yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go

from search.study.results import StudyResults

from .choices import MIN_TRIALS, importance, parallel_choices
from .kernels import winner_latency
from .pareto import pareto
from .progress import (
    hypervolume_over,
    learning_curves,
    score_history,
    seconds_by_phase,
    timeline,
)
from .published import published_pareto
from .slices import slices
from .surrogate import surrogate_errors


@dataclass(frozen=True)
class Panel:
    """A figure with its heading and what a reader must know of it."""

    title: str
    caption: str
    draw: Callable[[StudyResults], go.Figure]


PANELS: dict[str, Panel] = {
    "pareto": Panel(
        "This study",
        "Own data, predicted run time. Line: Pareto front of the trials. Dotted: equal scores. "
        "Bars of the finals: 90 % interval of the prediction, spread of the seeds. Below: "
        "candidates that were pruned, passed over after a probe, or refused for their run time.",
        pareto,
    ),
    "published": Panel(
        "Published",
        "Challenge data, run time measured on the phone: another PSNR scale than this study's.",
        lambda results: published_pareto(results.config.task_facts),
    ),
    "kernels": Panel(
        "Where its run time goes",
        "GPU kernels in launch order; what stands behind a + is fused into the kernel.",
        winner_latency,
    ),
    "score": Panel(
        "Score over trials",
        "One more is twice the score, as half the run time or 0.5 dB give it.",
        score_history,
    ),
    "hypervolume": Panel(
        "Hypervolume over trials",
        "Area between the Pareto front and the slowest and worst trial, run time in octaves.",
        hypervolume_over,
    ),
    "score_cpu": Panel(
        "Score over CPU time",
        "What the same training time has found: pruned and failed trials are paid for, too.",
        lambda results: score_history(results, "CPU s"),
    ),
    "hypervolume_cpu": Panel(
        "Hypervolume over CPU time",
        "As over trials, but by what they cost.",
        lambda results: hypervolume_over(results, "CPU s"),
    ),
    "curves": Panel(
        "Learning curves",
        "Points before the last are measured on a few validation images, the last on all.",
        learning_curves,
    ),
    "choices": Panel(
        "Choices of all complete trials",
        'A line is a trial, a row a choice; "-" where a trial does not have that choice.',
        parallel_choices,
    ),
    "slices": Panel(
        "Scores by choice",
        "Quartiles and range of the complete trials that made a choice so, the most important "
        "choices first. The values that a sampler likes have seen more trials, and better company.",
        slices,
    ),
    "surrogate": Panel(
        "What the surrogate would have said",
        "Measured minus expected PSNR of each complete trial, by the latency-aware sampler's "
        "surrogate given the trials before it, in blocks that double. Replayed from the results, "
        "whatever sampler the study has.",
        surrogate_errors,
    ),
    "importance": Panel(
        "Importance of the choices",
        "PED-ANOVA: how much a choice sets the best quarter of the trials apart from the rest. "
        f"Needs {MIN_TRIALS} complete trials and is rough below about 50; it shows what the best "
        "have in common, not causes.",
        importance,
    ),
    "timeline": Panel(
        "Trials over time",
        "From being proposed to its end; infeasible ones end at once, probed ones when another is "
        "trained instead.",
        timeline,
    ),
    "phases": Panel(
        "Where the training time went",
        "Wall time of the training processes.",
        seconds_by_phase,
    ),
}

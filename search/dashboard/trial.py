"""The page of one trial, and the comparison of a few."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from latency import LatencyEstimate, load_profile
from search.artifacts import PREVIEW, WEIGHTS, log_tail
from search.live.studies import LiveStudies, UnknownStudyError
from search.report.diagram import architecture_diagram
from search.report.images import Pictures, trial_pictures
from search.report.kernels import SHOWN, kernel_latency, latency_by_op, network_latency
from search.report.progress import compared_curves
from search.report.roofline import roofline
from search.study.directories import trial_directory
from search.study.results import StudyResults, TrialRecord

from .study import live_url, seen_study
from .view import Drawing, View

LOG = "log.txt"
FILES = {WEIGHTS: "weights", PREVIEW: "pictures", LOG: "log"}
"""What a training leaves, and may be downloaded."""
LOG_SHOWN = 20_000
"""Last characters of a log on the page; the file has all."""


class UnknownTrialError(UnknownStudyError):
    """The study has no trial of that number."""


def trial_view(studies: LiveStudies, name: str, number: int, *, api: str | None) -> View:
    """All that is known of one trial. `api`: where an export is asked for, None where nobody
    exports."""
    seen = seen_study(studies, name)
    results = seen.results
    trial = trial_of(results, number)
    finalist = next((f for f in results.finalists() if f.architecture == trial.architecture), None)
    context = {
        **seen.context("trial"),
        "trial": trial,
        "finalist": finalist,
        "choices": _choices([trial]),
        "diagram": _diagram(results, trial),
        "pictures": _pictures(results, trial),
        "log": _log(results, trial),
        "files": _files(results, trial),
        "command": _export_command(studies, name, number),
        "api": api,
        "rank": _rank(results, trial),
        "last": len(results.trials) - 1,
        "steps": results.config.training.steps,
    }
    url = live_url(name, "trial", {"trial": number})
    title = f"Trial {number} of {name}"
    drawings = _trial_drawings(results, trial)
    return View("trial.html", title, seen.version, context, drawings, url, live=True)


def compare_view(studies: LiveStudies, name: str, numbers: Sequence[int]) -> View:
    """Two to five trials side by side."""
    seen = seen_study(studies, name)
    results = seen.results
    trials = [trial_of(results, number) for number in numbers]
    pictures = [(trial, _pictures(results, trial)) for trial in trials]
    context = {
        **seen.context("compare"),
        "trials": trials,
        "choices": _choices(trials),
        "pictures": [(trial, found) for trial, found in pictures if found],
        "shown": max((len(found) for _, found in pictures if found), default=0),
        "numbers": _numbers(trials),
        "steps": results.config.training.steps,
    }
    url = live_url(name, "compare", {"trials": ",".join(map(str, numbers))})
    title = f"Trials {', '.join(map(str, numbers))} of {name}"
    drawings = _compare_drawings(results, trials)
    return View("compare.html", title, seen.version, context, drawings, url, live=True)


def trial_of(results: StudyResults, number: int) -> TrialRecord:
    """Raises UnknownTrialError where there is none."""
    if not 0 <= number < len(results.trials):
        raise UnknownTrialError(f"study {results.config.name} has no trial {number}")
    return results.trials[number]


def _trial_drawings(results: StudyResults, trial: TrialRecord) -> dict[str, Drawing]:
    drawings = {}
    if trial.curve:
        drawings["curve"] = Drawing(
            "Learning curve",
            "Points before the last are measured on a few validation images, the last on all.",
            partial(compared_curves, _curves(results, trial)),
        )
    if trial.architecture is None:
        return drawings
    latency = network_latency(results.config, trial.architecture)
    profile = load_profile(results.config.device)
    return drawings | {
        "by_op": Drawing(
            "Run time by op and level",
            "Predicted. A level of a network is a size of image; ops fused into a kernel count "
            "with its first.",
            partial(latency_by_op, [(f"trial {trial.number}", latency)]),
        ),
        "roofline": Drawing(
            "Roofline",
            "Kernels with arithmetic. Below the slope a kernel waits for memory, below the flat "
            "roof for arithmetic.",
            partial(roofline, latency, profile),
            420,
        ),
        "kernels": Drawing(
            "Kernels in launch order",
            "What stands behind a + is fused into the kernel. Colours: the size of the image.",
            partial(kernel_latency, latency),
            120 + 22 * min(len(latency.kernels), SHOWN),
        ),
    }


def _compare_drawings(results: StudyResults, trials: Sequence[TrialRecord]) -> dict[str, Drawing]:
    named: list[tuple[str, LatencyEstimate]] = [
        (f"trial {t.number}", network_latency(results.config, t.architecture))
        for t in trials
        if t.architecture
    ]
    curves = [curve for trial in trials for curve in _curves(results, trial)]
    drawings = {}
    if curves:
        drawings["curves"] = Drawing(
            "Learning curves",
            "Trials, and the finals of those that were in them.",
            partial(compared_curves, curves),
        )
    if named:
        drawings["by_op"] = Drawing(
            "Run time by op",
            "Predicted; ops fused into a kernel count with its first.",
            partial(latency_by_op, named),
        )
    return drawings


def _curves(
    results: StudyResults, trial: TrialRecord
) -> list[tuple[str, tuple[tuple[int, float], ...]]]:
    """A trial's learning curve, and those of its finals."""
    curves = [(f"trial {trial.number}", trial.curve)] if trial.curve else []
    runs = [run for run in results.finals if run.architecture == trial.architecture]
    return curves + [(f"trial {trial.number}, finals, seed {r.seed}", r.curve) for r in runs]


Numbers = tuple[str, list[float | None], str, float | None]


def _numbers(trials: Sequence[TrialRecord]) -> list[Numbers]:
    """(name, value by trial, format, best) of what trials are compared by."""
    estimates = [trial.estimate for trial in trials]
    rows: list[tuple[str, list[float | None], str, Callable[..., float] | None]] = [
        ("log2 of the score", [t.log2_score for t in trials], ".2f", max),
        ("PSNR, dB", [t.psnr_db for t in trials], ".2f", max),
        ("SSIM", [t.ssim for t in trials], ".4f", max),
        ("LPIPS", [t.lpips for t in trials], ".4f", min),
        ("run time, ms", [e.runtime_ms if e else None for e in estimates], ".3g", min),
        ("90 % from", [e.low_ms if e else None for e in estimates], ".3g", None),
        ("90 % to", [e.high_ms if e else None for e in estimates], ".3g", None),
        ("GMAC", [e.gmac if e else None for e in estimates], ".3g", min),
        ("parameters", [e.parameters if e else None for e in estimates], ",d", min),
        ("kernels", [e.kernels if e else None for e in estimates], "d", min),
        ("training, CPU s", [t.seconds.get("cpu") for t in trials], ".1f", min),
    ]
    return [
        (words, values, form, best(known) if best else None)
        for words, values, form, best in rows
        if (known := [value for value in values if value is not None])
    ]


def _choices(trials: Sequence[TrialRecord]) -> list[tuple[str, list[Any], bool]]:
    """(name, value by trial, whether they differ) of every choice that any of them has made."""
    made = [trial.architecture.choices if trial.architecture else {} for trial in trials]
    names = list(dict.fromkeys(name for choices in made for name in choices))
    rows = [(name, [choices.get(name) for choices in made]) for name in names]
    return [(name, values, len(set(map(str, values))) > 1) for name, values in rows]


def _diagram(results: StudyResults, trial: TrialRecord) -> Markup | None:
    if trial.architecture is None:
        return None
    drawing = architecture_diagram(trial.architecture, results.config.task_facts)
    return Markup(drawing)


def _pictures(results: StudyResults, trial: TrialRecord) -> Pictures | None:
    return trial_pictures(results, trial) if trial.status == "complete" else None


def _log(results: StudyResults, trial: TrialRecord) -> str:
    path = trial_directory(results.config, trial.number) / LOG
    try:
        return log_tail(path, LOG_SHOWN).strip()
    except OSError:
        return ""


def _files(results: StudyResults, trial: TrialRecord) -> list[tuple[str, str, int]]:
    """(name, what it is, bytes) of what the training has left."""
    directory = trial_directory(results.config, trial.number)
    paths = [(directory / name, what) for name, what in FILES.items()]
    return [(p.name, what, p.stat().st_size) for p, what in paths if p.is_file()]


def _export_command(studies: LiveStudies, name: str, number: int) -> str:
    where = [] if str(studies.runs) == "runs" else ["--runs", str(studies.runs)]
    return shlex.join(["lensnas", "export", name, "--trial", str(number), *where])


def _rank(results: StudyResults, trial: TrialRecord) -> int | None:
    """Among the complete trials of the search, by score."""
    if trial.log2_score is None:
        return None
    return 1 + sum((t.log2_score or 0.0) > trial.log2_score for t in results.complete)

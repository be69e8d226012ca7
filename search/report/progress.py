"""How a study went: scores and hypervolume over trials, learning curves, where time went."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import plotly.graph_objects as go

from search.study.results import StudyResults, TrialRecord

from .hypervolume import Point, hypervolume_history
from .style import (
    BLUE,
    GRAY,
    GREEN,
    PALETTE,
    STATUS_COLOURS,
    empty,
    escape,
    style,
    trial_hover,
)
from .thin import drawn_note, evenly, one_a_cell

Curve = tuple[tuple[int, float], ...]
MOST_CURVES, MOST_BARS = 300, 500
"""Of one group in a figure: evenly spaced ones of more curves, the latest of more bars."""
Over = Literal["trial", "CPU s"]
"""What a history runs over: the trials' numbers, or CPU seconds of training."""


def score_history(results: StudyResults, over: Over = "trial") -> go.Figure:
    """log2 of the score of each complete trial, and the best so far."""
    trials, places = _history(results, over)
    if not trials:
        return empty("No complete trial yet.")
    scores = [t.log2_score or 0.0 for t in trials]
    at = dict(zip([t.number for t in trials], places, strict=True))
    best_first = sorted(trials, key=lambda t: -(t.log2_score or 0.0))
    shown = one_a_cell(best_first, lambda t: (at[t.number], t.log2_score or 0.0))
    best = _corners(places, list(itertools.accumulate(scores, max)))
    figure = go.Figure(
        [
            go.Scatter(
                x=[at[t.number] for t in shown], y=[t.log2_score for t in shown], mode="markers",
                name="trial" + drawn_note(len(shown), len(trials)),
                marker={"color": BLUE, "size": 7, "opacity": 0.75},
                customdata=[t.number for t in shown],
                hovertext=[trial_hover(t) for t in shown], hoverinfo="text",
            ),
            go.Scatter(
                x=[x for x, _ in best], y=[y for _, y in best], mode="lines",
                name="best so far", line={"shape": "hv", "color": GREEN, "width": 2},
            ),
        ]
    )  # fmt: skip
    style(figure, height=360, xaxis_title=over, yaxis_title="log2 of the score")
    return figure.update_xaxes(**_whole(trials)) if over == "trial" else figure


def cpu_seconds_by_trial(results: StudyResults) -> dict[int, float]:
    """CPU seconds of all training up to each trial's end, by its number, in order of the ends.

    What was pruned or failed has cost, too. Trials without recorded times are left out.
    """
    timed = [t for t in results.trials if t.ended and "cpu" in t.seconds]
    timed.sort(key=lambda t: (t.ended, t.number))
    spent = itertools.accumulate(t.seconds["cpu"] for t in timed)
    return dict(zip([t.number for t in timed], spent, strict=True))


def _history(results: StudyResults, over: Over) -> tuple[list[TrialRecord], list[float]]:
    """Complete trials in the order of `over`, and where they stand on its axis."""
    if over == "trial":
        trials = _by_number(results)
        return trials, [t.number for t in trials]
    spent = cpu_seconds_by_trial(results)
    trials = sorted(
        (t for t in results.complete if t.number in spent), key=lambda t: spent[t.number]
    )
    return trials, [spent[t.number] for t in trials]


def _corners(xs: Sequence[float], ys: Sequence[float]) -> list[Point]:
    """The points of a staircase at which it rises, and its end."""
    points = list(zip(xs, ys, strict=True))
    rises = [b for a, b in itertools.pairwise(points) if b[1] != a[1]]
    return [points[0], *rises, points[-1]]


def reference_point(results: StudyResults) -> Point | None:
    """(log2 of run time in ms, PSNR in dB) of the slowest and of the worst complete trial."""
    points = [_point(t) for t in results.complete]
    if not points:
        return None
    return max(x for x, _ in points), min(y for _, y in points)


def hypervolume_over(results: StudyResults, over: Over = "trial") -> go.Figure:
    """Area between the front and the reference point, in dB x doublings of run time."""
    trials, places = _history(results, over)
    reference = reference_point(results)
    if reference is None or len(trials) < 2:
        return empty("The hypervolume needs two complete trials.")
    history = hypervolume_history([_point(t) for t in trials], reference)
    corners = _corners(places, history)
    figure = go.Figure(
        go.Scatter(
            x=[x for x, _ in corners], y=[y for _, y in corners], mode="lines",
            line={"shape": "hv", "color": BLUE, "width": 2}, name="hypervolume",
        )
    )  # fmt: skip
    figure.add_annotation(
        text=f"reference point: {2 ** reference[0]:.3g} ms, {reference[1]:.2f} dB",
        xref="paper", yref="paper", x=1, y=0.02, xanchor="right", yanchor="bottom",
        showarrow=False, font={"color": GRAY},
    )  # fmt: skip
    style(
        figure, height=360, xaxis_title=over, yaxis_title="hypervolume, dB x octaves of ms",
        showlegend=False,
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    return figure


def learning_curves(results: StudyResults) -> go.Figure:
    """PSNR over training steps of every trial that reached a rung, and of the finals."""
    if not any(t.curve for t in results.trials) and not results.finals:
        return empty("No learning curve yet.")
    groups: dict[str, tuple[str, list[tuple[Curve, str]]]] = {}
    for trial in results.trials:
        if trial.curve:
            _, curves = groups.setdefault(trial.status, (STATUS_COLOURS[trial.status], []))
            curves.append((trial.curve, f"trial {trial.number}"))
    for run in results.finals:
        hover = f"{escape(results.origin(run.architecture))}, seed {run.seed} (finals)"
        groups.setdefault("finals", (GREEN, []))[1].append((run.curve, hover))
    figure = go.Figure([_curves(name, *group) for name, group in groups.items()])
    return style(figure, height=360, xaxis_title="training step", yaxis_title="PSNR, dB")


def compared_curves(curves: Sequence[tuple[str, Curve]]) -> go.Figure:
    """The learning curves of a few named trainings."""
    if not curves:
        return empty("No learning curve yet.")
    figure = go.Figure(
        [
            go.Scatter(
                x=[step for step, _ in curve], y=[psnr_db for _, psnr_db in curve],
                mode="lines+markers", name=escape(name),
                line={"color": PALETTE[i % len(PALETTE)], "width": 1.8}, marker={"size": 6},
            )
            for i, (name, curve) in enumerate(curves)
        ]
    )  # fmt: skip
    style(figure, height=360, xaxis_title="training step", yaxis_title="PSNR, dB")
    figure.update_xaxes(rangemode="tozero")  # A training without rungs is a single point.
    return figure.update_layout(showlegend=True)


def _curves(name: str, colour: str, curves: list[tuple[Curve, str]]) -> go.Scatter:
    """All curves of a group in one trace, with gaps between: many traces make a page slow."""
    shown = evenly(curves, MOST_CURVES)
    points = [(*point, hover) for curve, hover in shown for point in (*curve, (None, None))]
    return go.Scatter(
        x=[step for step, _, _ in points], y=[psnr for _, psnr, _ in points],
        hovertext=[hover for _, _, hover in points], hoverinfo="text+y",
        name=name + drawn_note(len(shown), len(curves)),
        mode="lines+markers", line={"width": 1.2, "color": colour}, marker={"size": 4},
        opacity=0.7,
    )  # fmt: skip


def timeline(results: StudyResults) -> go.Figure:
    """Each trial's wall time, coloured by what became of it."""
    timed = [t for t in results.trials if t.started and t.ended and t.status != "duplicate"]
    if not timed:
        return empty("No trial has ended yet.")
    origin = min(t.started for t in timed if t.started)
    ended, timed = len(timed), timed[-MOST_BARS:]
    figure = go.Figure()
    for status, colour in STATUS_COLOURS.items():
        group = [t for t in timed if t.status == status]
        if not group:
            continue
        begins = [(t.started - origin).total_seconds() / 60 for t in group if t.started]
        minutes = [_seconds(t) / 60 for t in group]
        figure.add_trace(
            go.Bar(
                base=begins, x=minutes, y=[t.number for t in group], orientation="h", width=0.9,
                marker={"color": colour, "line": {"width": 1, "color": colour}},
                name=f"{status} ({len(group)})", hoverinfo="text",
                hovertext=[f"{trial_hover(t)}<br>{_seconds(t):.1f} s" for t in group],
            )
        )  # fmt: skip
    style(
        figure, height=360, xaxis_title="minutes since the first trial",
        yaxis_title="trial" + (f" (the latest {len(timed):,})" if len(timed) < ended else ""),
        barmode="overlay",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", **_whole(timed))
    return figure


def seconds_by_phase(results: StudyResults) -> go.Figure:
    """Training wall time summed over the trials and over the finals, by phase."""
    stages = {
        "finals": _phases([run.seconds for run in results.finals]),
        "search": _phases([t.seconds for t in results.trials]),
    }
    stages = {name: phases for name, phases in stages.items() if phases}
    if not stages:
        return empty("No training time recorded yet.")
    figure = go.Figure()
    phases = list(dict.fromkeys(p for totals in reversed(stages.values()) for p in totals))
    for index, phase in enumerate(phases):
        seconds = [totals.get(phase, 0.0) for totals in stages.values()]
        figure.add_trace(
            go.Bar(
                x=[s / 60 for s in seconds], y=list(stages), orientation="h",
                name=escape(phase.replace("_", " ")), hoverinfo="text",
                hovertext=[f"{escape(phase)}: {s:,.1f} s" for s in seconds],
                marker={"color": PALETTE[index % len(PALETTE)]},
            )
        )  # fmt: skip
    return style(
        figure, height=230, barmode="stack", legend_traceorder="normal",
        xaxis_title="minutes, summed over workers",
    )  # fmt: skip


def status_counts(results: StudyResults) -> dict[str, int]:
    """How many trials there are of each status that occurs."""
    counts = Counter(t.status for t in results.trials)
    return {status: counts[status] for status in STATUS_COLOURS if counts[status]}


def _whole(trials: list[TrialRecord]) -> dict[str, int]:
    """Axis settings that keep the numbers of a few trials whole."""
    return {"tick0": 0, "dtick": 1} if len(trials) < 6 else {}


def _by_number(results: StudyResults) -> list[TrialRecord]:
    return sorted(results.complete, key=lambda t: t.number)


def _point(trial: TrialRecord) -> Point:
    assert trial.estimate is not None
    assert trial.psnr_db is not None
    return math.log2(trial.estimate.runtime_ms), trial.psnr_db


def _seconds(trial: TrialRecord) -> float:
    assert trial.started is not None
    assert trial.ended is not None
    return (trial.ended - trial.started).total_seconds()


def _phases(runs: list[Mapping[str, float]] | list[dict[str, float]]) -> dict[str, float]:
    """Sums of wall time by phase; what the phases leave of "total" is "other"."""
    sums: Counter[str] = Counter()
    for seconds in runs:
        sums.update(seconds)
    sums.pop("cpu", None)
    total = sums.pop("total", 0.0)
    rest = total - sum(sums.values())
    return dict(sums) | ({"other": rest} if rest > 1e-3 else {})

"""A study's own PSNR against its predicted run time.

The published table is a figure of its own (`published`), on purpose: PSNR on a study's
data and PSNR on the challenge's test set share no axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from search.study.results import Finalist, Status, StudyResults, TrialRecord
from spaces.architecture import Architecture
from spaces.label import label

from .notes import finals_budget, search_budget, seeds_text
from .plane import Range, add_iso_scores, front_line, padded, padded_log, runtime_axis
from .rows import display_name, is_published
from .style import (
    BLUE,
    FAINT,
    GRAY,
    GREEN,
    STATUS_COLOURS,
    VERMILLION,
    empty,
    escape,
    quality_text,
    runtime_text,
    score_text,
    style,
    trial_hover,
    wrapped,
)
from .thin import drawn_note, one_a_cell

_UNTRAINED: tuple[Status, ...] = ("infeasible", "pruned")
"""Below the plane in any study; `probed` ones where there are any."""
_IN_TURNS, _BELOW = ("top left", "bottom right"), ("bottom right",)


def pareto(results: StudyResults) -> go.Figure:
    """This study: PSNR over predicted run time (log), and below it what has no final PSNR.

    Trials and finals had different training budgets, which the legend states. `customdata` of a
    mark is its trial's number, where it has one.
    """
    x_range, y_range = _extent(results)
    if x_range is None:
        return empty("No judged candidate to show.")
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.86, 0.14], vertical_spacing=0.03
    )
    if y_range:
        add_iso_scores(figure, results.config.task_facts.log2_c, x_range, y_range)
        figure.add_traces(_search_traces(results), rows=1, cols=1)
        figure.add_traces(_finals_traces(results), rows=1, cols=1)
        figure.update_yaxes(range=y_range, row=1, col=1)
    else:
        figure.add_trace(go.Scatter(x=[], y=[], showlegend=False), row=1, col=1)
        figure.update_yaxes(showticklabels=False, row=1, col=1)
        figure.add_annotation(
            text="no complete trial to show", xref="x domain", yref="y domain", x=0.5, y=0.5,
            showarrow=False, font={"color": GRAY},
        )  # fmt: skip
    probed = any(trial.status == "probed" for trial in results.trials)
    untrained: tuple[Status, ...] = (*_UNTRAINED, "probed") if probed else _UNTRAINED
    for status in untrained:
        figure.add_trace(_rug(results, status), row=2, col=1)
    style(figure, height=600)
    figure.update_yaxes(title_text="PSNR, dB", row=1, col=1)
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=untrained,
        range=(-0.6, len(untrained) - 0.4),
        row=2,
        col=1,
    )
    runtime_axis(figure, x_range, "predicted run time, ms", row=2, col=1)
    figure.update_xaxes(showticklabels=False, row=1, col=1)
    _add_budget(figure, results.config.objective.max_runtime_ms, x_range)
    return figure


def _search_traces(results: StudyResults) -> list[go.Scatter]:
    ours = [t for t in results.complete if t.baseline is None]
    published_systems = [t for t in results.complete if t.baseline is not None]
    budget = search_budget(results)
    front = [_at(trial) for trial in results.pareto_front()]
    # Best first, so that of many trials in one place the best is the one that is drawn.
    shown = one_a_cell(ours, lambda t: (math.log(_runtime_ms(t)), t.psnr_db or 0.0))
    name = f"trials ({budget}{drawn_note(len(shown), len(ours))})"
    traces = [_trials_trace(shown, name, "circle", STATUS_COLOURS["complete"])]
    if published_systems:
        name = "published systems as trials"
        traces.append(_trials_trace(published_systems, name, "diamond", VERMILLION, named=True))
    return [front_line(front, BLUE), *traces]


def _trials_trace(
    trials: Sequence[TrialRecord], name: str, symbol: str, colour: str, *, named: bool = False
) -> go.Scatter:
    return go.Scatter(
        x=[_at(t)[0] for t in trials],
        y=[_at(t)[1] for t in trials],
        mode="markers+text" if named else "markers",
        text=[escape(_short_name(t.baseline or "")) for t in trials] if named else None,
        textposition="bottom right",
        textfont={"size": 11},
        marker={"symbol": symbol, "size": 8, "color": colour, "opacity": 0.75},
        customdata=[t.number for t in trials],
        hovertext=[trial_hover(t) for t in trials],
        hoverinfo="text",
        name=name,
    )


def _finals_traces(results: StudyResults) -> list[go.Scatter]:
    finalists = results.finalists()
    budget = finals_budget(results)
    ours = [f for f in finalists if not is_published(f.origin)]
    theirs = [f for f in finalists if is_published(f.origin)]
    numbers = {t.architecture: t.number for t in reversed(results.trials) if t.architecture}
    traces = []
    if ours:
        traces.append(_finals_trace(ours, f"finals ({budget})", "star", GREEN, _IN_TURNS, numbers))
    if theirs:
        name = "published systems as finals"
        traces.append(_finals_trace(theirs, name, "diamond-tall", VERMILLION, _BELOW, numbers))
    return traces


def _finals_trace(
    finalists: Sequence[Finalist],
    name: str,
    symbol: str,
    colour: str,
    positions: tuple[str, ...],
    numbers: Mapping[Architecture, int],
) -> go.Scatter:
    finalists = sorted(finalists, key=lambda f: f.estimate.runtime_ms)
    known = [f.estimate for f in finalists]
    return go.Scatter(
        x=[e.runtime_ms for e in known],
        y=[f.psnr_db for f in finalists],
        error_x={
            "type": "data",
            "array": [e.high_ms - e.runtime_ms for e in known],
            "arrayminus": [e.runtime_ms - e.low_ms for e in known],
            "thickness": 1,
            "width": 3,
        },
        error_y={"type": "data", "array": [f.spread_db or 0.0 for f in finalists], "thickness": 1},
        mode="markers+text",
        # Ours on either side in turns, theirs below: they often lie close together.
        text=[escape(_short_name(f.origin)) for f in finalists],
        textposition=[positions[i % len(positions)] for i in range(len(finalists))],
        textfont={"size": 11},
        marker={"symbol": symbol, "size": 13, "color": colour},
        customdata=[numbers.get(f.architecture) for f in finalists],
        hovertext=[_finalist_hover(f) for f in finalists],
        hoverinfo="text",
        name=name,
    )


def _short_name(origin: str) -> str:
    """ "#12" for a trial, a published system's title up to what explains it."""
    if is_published(origin):
        return display_name(origin).split(":")[0]
    return origin.replace("trial ", "#")


def _finalist_hover(finalist: Finalist) -> str:
    spread = "" if finalist.spread_db is None else f" ± {finalist.spread_db:.2f}"
    known = finalist.estimate
    psnr = f"{finalist.psnr_db:.2f}{spread} dB over {seeds_text([len(finalist.psnrs_db)])}"
    return "<br>".join(
        (
            f"<b>{escape(display_name(finalist.origin))}</b> (finals)",
            wrapped(label(finalist.architecture)),
            quality_text(psnr, finalist.ssim, finalist.lpips),
            f"{runtime_text(known.runtime_ms, known.low_ms, known.high_ms)} predicted",
            f"score {score_text(finalist.log2_score)}",
        )
    )


def _rug(results: StudyResults, status: Status) -> go.Scatter:
    of_status = [t for t in results.trials if t.status == status and t.estimate]
    trials = one_a_cell(of_status, lambda t: (math.log(_runtime_ms(t)), 0.0))
    # A place that is none, so that plotly.js has the category: without any it draws NaN.
    nowhere: list[float | None] = [None]
    return go.Scatter(
        x=[_runtime_ms(t) for t in trials] or nowhere,
        y=[status] * max(1, len(trials)),
        mode="markers",
        marker={"symbol": "x-thin", "size": 8, "line": {"width": 1.5, "color": GRAY}}
        if status == "infeasible"
        else {"symbol": "circle-open", "size": 8, "color": STATUS_COLOURS[status]},
        customdata=[t.number for t in trials],
        hovertext=[trial_hover(t) for t in trials],
        hoverinfo="text",
        showlegend=False,
    )


def _add_budget(figure: go.Figure, budget_ms: float | None, x_range: Range) -> None:
    if budget_ms is None or not x_range[0] < budget_ms < x_range[1]:
        return
    # A label that begins in the last third of the axis would leave the plot.
    narrow = math.log(x_range[1] / budget_ms) < math.log(x_range[1] / x_range[0]) / 3
    for axis in ("", "2"):
        figure.add_shape(
            type="rect", xref=f"x{axis}", yref=f"y{axis} domain", x0=budget_ms, x1=x_range[1],
            y0=0, y1=1, fillcolor=FAINT, line_width=0, layer="below",
        )  # fmt: skip
    figure.add_annotation(
        text=f"over the budget of {budget_ms:g} ms", xref="x", yref="y domain",
        x=math.log10(x_range[1] if narrow else budget_ms), y=0,
        xanchor="right" if narrow else "left", yanchor="bottom", showarrow=False,
        font={"size": 11, "color": GRAY},
    )  # fmt: skip


def _extent(results: StudyResults) -> tuple[Range | None, Range | None]:
    finalists = results.finalists()
    judged = [t.estimate for t in results.trials if t.estimate and t.status != "duplicate"]
    runtimes = [e.runtime_ms for e in judged]
    for known in (f.estimate for f in finalists):
        runtimes += [known.low_ms, known.high_ms]
    psnrs = [t.psnr_db for t in results.complete if t.psnr_db is not None]
    psnrs += [p for f in finalists for p in f.psnrs_db]
    return (padded_log(runtimes) if runtimes else None), (padded(psnrs) if psnrs else None)


def _at(trial: TrialRecord) -> tuple[float, float]:
    assert trial.psnr_db is not None
    return _runtime_ms(trial), trial.psnr_db


def _runtime_ms(trial: TrialRecord) -> float:
    assert trial.estimate is not None
    return trial.estimate.runtime_ms

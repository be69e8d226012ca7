"""Which choices made the good candidates: parallel coordinates and importance."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from functools import lru_cache

import optuna
import plotly.graph_objects as go
from optuna.distributions import CategoricalDistribution
from plotly.colors import sample_colorscale

from search.study.results import StudyResults, TrialRecord
from spaces.space import Choice

from .style import BLUE, empty, escape, score_text, style
from .thin import drawn_note, evenly

MIN_TRIALS = 8
"""Complete trials below which importances are noise."""
TOP_SHARE = 0.25
"""PED-ANOVA asks what the best quarter has in common: at 20 trials, five of them."""
SHOWN = 12
MOST_LINES = 300
"""Of complete trials: evenly spaced ones by rank where there are more."""
MOST_COMPARED = 500

_COLOURS = 8
_SCALE = ["rgb(134,163,187)", "rgb(230,176,74)", "rgb(213,94,0)"]
"""Pale blue to vermillion: told apart by any eye, seen on light and on dark pages."""


_VALUE_NAMES = {"None": "-", "True": "yes", "False": "no"}


def parallel_choices(results: StudyResults) -> go.Figure:
    """Every complete trial as a line down through its choices, coloured by score.

    A row is a choice, a place in it a value; where the choice does not exist in an
    architecture the line runs through "-" at the left. Choices that never varied are left out.
    """
    trials = evenly(results.complete, MOST_LINES)
    choices = varied_choices(results)
    if len(trials) < 2 or not choices:
        return empty("Comparing choices needs two complete trials.")
    figure = go.Figure()
    groups = _score_groups(trials)
    for group, colour in zip(reversed(groups), _ramp(len(groups)), strict=True):
        figure.add_trace(_lines(group, choices, colour, trials))
    figure.add_trace(_value_labels(choices))
    style(
        figure,
        height=90 + 44 * len(choices),
        margin={"l": 110, "r": 16, "t": 40, "b": 16},
        title={
            "text": "score: low (blue), middle (yellow), high (red)"
            + drawn_note(len(trials), len(results.complete)),
            "font": {"size": 12},
            "x": 0,
        },
    )
    figure.update_xaxes(visible=False, range=(-0.2, 1.14))
    figure.update_yaxes(
        tickvals=list(range(len(choices))),
        ticktext=[escape(c.name) for c in choices],
        range=(len(choices) - 0.4, -0.6),
        ticks="",
        linecolor="rgba(0,0,0,0)",
    )
    return figure


def importance(results: StudyResults) -> go.Figure:
    """Share of each choice in what sets the best quarter of the trials apart (PED-ANOVA)."""
    shares = importances(results)
    if not shares:
        return empty(f"Too few trials: importances need {MIN_TRIALS} complete ones that differ.")
    top = list(shares.items())[:SHOWN][::-1]
    figure = go.Figure(
        go.Bar(
            x=[share for _, share in top],
            y=[escape(name) for name, _ in top],
            orientation="h",
            marker={"color": BLUE},
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    style(figure, height=110 + 24 * len(top), xaxis_title="share of importance")
    figure.update_xaxes(tickformat=".0%")
    return figure


def importances(results: StudyResults) -> dict[str, float]:
    """Choice to share, largest first, summing to 1; {} below `MIN_TRIALS` complete trials.

    Conditional PED-ANOVA (Watanabe et al., IJCAI 2023, and its extension to conditional
    spaces) as Optuna has it, on a study rebuilt from the records. It tells what was
    frequent among the best, not what causes what.
    """
    choices = varied_choices(results)
    if len(results.complete) < MIN_TRIALS or not choices:
        return {}
    # Evenly spaced by rank: the best quarter of many is found in five hundred as well.
    return _shares(tuple(evenly(results.complete, MOST_COMPARED)), tuple(choices))


@lru_cache(8)  # Two figures of a page need them.
def _shares(trials: tuple[TrialRecord, ...], choices: tuple[Choice, ...]) -> dict[str, float]:
    study = _rebuilt(trials, choices)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=TOP_SHARE)
    with warnings.catch_warnings():
        # Rare conditional choices; the caption says that few trials make a rough guess.
        warnings.simplefilter("ignore", UserWarning)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: share for name, share in shares.items() if share > 0}


def _rebuilt(trials: Sequence[TrialRecord], choices: Sequence[Choice]) -> optuna.Study:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    optuna.logging.set_verbosity(verbosity)
    for trial in trials:
        assert trial.architecture is not None
        chosen = trial.architecture.choices
        active = {c.name: c for c in choices if c.name in chosen}
        study.add_trial(
            optuna.trial.create_trial(
                params={name: chosen[name] for name in active},
                distributions={n: CategoricalDistribution(c.values) for n, c in active.items()},
                value=trial.log2_score,
            )
        )
    return study


def varied_choices(results: StudyResults) -> list[Choice]:
    """Choices of the study's space that at least two complete trials have made differently."""
    known = [t.architecture.choices for t in results.complete if t.architecture]

    def varies(name: str) -> bool:
        values = (chosen[name] for chosen in known if name in chosen)
        first = next(values, None)
        return any(value != first for value in values)

    return [choice for choice in results.config.search_space().choices if varies(choice.name)]


def _score_groups(trials: Sequence[TrialRecord]) -> list[Sequence[TrialRecord]]:
    """Best first, in at most `_COLOURS` groups of about equal size."""
    count = min(_COLOURS, len(trials))
    bounds = [round(i * len(trials) / count) for i in range(count + 1)]
    return [trials[a:b] for a, b in itertools.pairwise(bounds)]


def _ramp(count: int) -> list[str]:
    return sample_colorscale(_SCALE, [i / max(1, count - 1) for i in range(count)])


def _lines(
    group: Sequence[TrialRecord],
    choices: Sequence[Choice],
    colour: str,
    ranked: Sequence[TrialRecord],
) -> go.Scatter:
    xs: list[float | None] = []
    ys: list[float | None] = []
    hovers: list[str] = []
    rank_of = {trial.number: rank for rank, trial in enumerate(ranked)}
    for trial in group:
        assert trial.architecture is not None
        # Spread the lines a little by rank, so that trials with the same value stay apart.
        shift = 0.03 * (rank_of[trial.number] / max(1, len(ranked) - 1) - 0.5)
        xs += [_place(c, trial.architecture.choices.get(c.name)) + shift for c in choices]
        ys += list(range(len(choices)))
        # Short, for it is repeated at every choice; the Pareto plot has all about a trial.
        score = score_text(trial.log2_score or 0.0)
        hovers += [f"trial {trial.number}, score {score}"] * len(choices)
        xs.append(None)
        ys.append(None)
        hovers.append("")
    best, worst = (score_text(t.log2_score or 0.0) for t in (group[0], group[-1]))
    return go.Scatter(
        x=xs, y=ys, mode="lines+markers", hovertext=hovers, hoverinfo="text",
        line={"color": colour, "width": 1.2}, marker={"size": 5}, opacity=0.7,
        name=f"score {worst} to {best}", showlegend=False,
    )  # fmt: skip


def value_name(value: object) -> str:
    """A choice's value as figures show it, escaped."""
    return _VALUE_NAMES.get(str(value)) or escape(value)


def _place(choice: Choice, value: object) -> float:
    """0 to 1 for the first to the last value; left of both for a choice that is not there."""
    if value is None:
        return -0.12
    return choice.values.index(value) / max(1, len(choice.values) - 1)


def _value_labels(choices: Sequence[Choice]) -> go.Scatter:
    """The name of every value above its place."""
    xs, ys, texts = [], [], []
    for row, choice in enumerate(choices):
        values: list[object] = [None, *choice.values] if choice.when else list(choice.values)
        for value in values:
            xs.append(_place(choice, value))
            ys.append(row - 0.3)
            texts.append(value_name(value))
    return go.Scatter(
        x=xs, y=ys, mode="text", text=texts, hoverinfo="skip", showlegend=False,
        textfont={"size": 11},
    )  # fmt: skip

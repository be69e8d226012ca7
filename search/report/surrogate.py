"""How well PSNR could be foretold: the sampler's surrogate, replayed over a study's own trials."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from search.samplers.history import Observation, Priced
from search.samplers.promise import expected_psnr
from search.study.results import StudyResults, TrialRecord
from spaces.space import SearchSpace

from .style import BLUE, GRAY, empty, style

FEWEST, BLOCK = 10, 2
"""Trials before the first that is foretold, and the factor from one block's start to its end."""
MOST_FORETOLD = 100
"""Of each block: the first ones."""


def surrogate_errors(results: StudyResults) -> go.Figure:
    """Measured minus expected PSNR in dB of the complete trials after the first `FEWEST`.

    The expectation of each is by what was complete before its block; beside the root mean square
    stands that of the plainest forecast, the mean of the same trials.
    """
    trials = _in_space(results)
    if len(trials) <= FEWEST:
        return empty(f"The surrogate needs more than {FEWEST} complete trials.")
    space = results.config.search_space()
    foretold, errors_db, plain_db = [], [], []
    for known, block in _blocks(trials):
        foretold += [trial.number for trial in block]
        of_surrogate, of_mean = _errors_db(known, block, space)
        errors_db += of_surrogate
        plain_db += of_mean
    figure = go.Figure(
        go.Scatter(
            x=foretold, y=errors_db, mode="markers", customdata=foretold,
            marker={"color": BLUE, "size": 7, "opacity": 0.75},
            hovertemplate="trial %{x}: %{y:+.2f} dB<extra></extra>",
        )
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": GRAY, "width": 1})
    figure.add_annotation(
        text=f"root mean square {_rms(errors_db):.2f} dB; of the mean alone {_rms(plain_db):.2f}",
        xref="paper", yref="paper", x=1, y=1, xanchor="right", yanchor="bottom", showarrow=False,
        font={"color": GRAY},
    )  # fmt: skip
    return style(
        figure, height=360, showlegend=False, xaxis_title="trial",
        yaxis_title="measured - expected, dB", margin={"l": 62, "r": 16, "t": 32, "b": 52},
    )  # fmt: skip


Trials = tuple[TrialRecord, ...]


def _blocks(trials: Sequence[TrialRecord]) -> list[tuple[Trials, Trials]]:
    """What was known, and what came then, for each of the blocks."""
    ends = [FEWEST]
    while ends[-1] < len(trials):
        ends.append(min(ends[-1] * BLOCK, len(trials)))
    return [
        (tuple(trials[:begin]), tuple(trials[begin:end][:MOST_FORETOLD]))
        for begin, end in itertools.pairwise(ends)
    ]


@lru_cache(64)  # As a study grows only its last block does.
def _errors_db(known: Trials, block: Trials, space: SearchSpace) -> tuple[list[float], list[float]]:
    """Of the surrogate that was given `known`, and of the mean of `known`, for each of `block`."""
    expected = expected_psnr(
        [_observation(trial, space) for trial in known],
        [_observation(trial, space).priced for trial in block],
    )
    measured = np.array([trial.psnr_db for trial in block])
    mean = np.mean([trial.psnr_db for trial in known])
    return (measured - expected).tolist(), (measured - mean).tolist()


def _in_space(results: StudyResults) -> list[TrialRecord]:
    """Complete trials whose architecture is of the study's own space, by number.

    Published systems may be trials, too, and lie outside of it.
    """
    space = results.config.search_space()
    inside = [t for t in results.complete if t.baseline is None or _lies_in(t, space)]
    return sorted(inside, key=lambda t: t.number)


def _lies_in(trial: TrialRecord, space: SearchSpace) -> bool:
    if trial.architecture is None or trial.architecture.space != space.name:
        return False
    try:
        space.architecture(trial.architecture.choices)
    except ValueError:
        return False
    return True


def _observation(trial: TrialRecord, space: SearchSpace) -> Observation:
    known, architecture = trial.estimate, trial.architecture
    assert known is not None
    assert architecture is not None
    assert trial.psnr_db is not None
    return Observation(Priced.of(architecture, known, space), trial.psnr_db)


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))

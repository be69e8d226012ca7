"""The look that all figures share: colours, blank layouts, numbers and hover texts."""

from __future__ import annotations

import html
import math
import textwrap
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go

from search.study.results import Status, TrialRecord
from spaces.label import label

# Okabe and Ito's colour-blind safe palette, the blue a little lighter for dark pages.
BLUE, ORANGE, GREEN = "#2484c1", "#e69f00", "#009e73"
VERMILLION, PURPLE, SKY = "#d55e00", "#cc79a7", "#56b4e9"
TAN = "#b39b6b"
GRAY, FAINT = "#8a8a8a", "rgba(128,128,128,0.25)"

PALETTE = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, "#f0e442", GRAY)
"""For groups without a colour of their own; the first are told apart best."""

STATUS_COLOURS: dict[Status, str] = {
    "complete": BLUE,
    "pruned": ORANGE,
    "infeasible": GRAY,
    "duplicate": "#bdbdbd",
    "probed": TAN,
    "failed": VERMILLION,
    "running": SKY,
    "waiting": "#d9d9d9",
    "interrupted": PURPLE,
}

_AXIS = {"gridcolor": FAINT, "zeroline": False, "linecolor": GRAY, "ticks": "outside"}


def style(figure: go.Figure, *, height: int, **layout: Any) -> go.Figure:
    """Give `figure` the common look: transparent, so that the page's colours show through."""
    figure.update_layout(
        template=go.layout.Template(),
        height=height,
        margin={"l": 62, "r": 16, "t": 16, "b": 52},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(**_AXIS, automargin=True)
    figure.update_yaxes(**_AXIS, automargin=True)
    figure.update_layout(**layout)
    return figure


def empty(message: str) -> go.Figure:
    """A figure that says why there is nothing to see."""
    figure = style(go.Figure(), height=110, margin={"l": 8, "r": 8, "t": 8, "b": 8})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=escape(message), showarrow=False, xref="paper", yref="paper", x=0, y=0.5,
        xanchor="left", font={"color": GRAY},
    )  # fmt: skip
    return figure


def escape(text: object) -> str:
    """Text for Plotly, which renders a few HTML tags."""
    return html.escape(str(text), quote=False)


def wrapped(text: str, width: int = 46) -> str:
    """Escaped, in lines of at most `width` characters where it has spaces."""
    return "<br>".join(escape(line) for line in textwrap.wrap(text, width)) or "-"


def score_text(log2_score: float) -> str:
    """The score in four digits; the challenge's formula explodes on other data than its own."""
    if abs(log2_score) > 1000:
        return f"2^{log2_score:.0f}"
    return f"{2.0**log2_score:.4g}"


@lru_cache(10_000)
def trial_hover(trial: TrialRecord) -> str:
    """All that is known of a trial."""
    name = f"trial {trial.number}" + (f", {trial.baseline}" if trial.baseline else "")
    lines = [f"<b>{escape(name)}</b> ({trial.status})"]
    if trial.architecture:
        lines.append(wrapped(label(trial.architecture)))
    if trial.psnr_db is not None and trial.ssim is not None:
        lines.append(quality_text(f"{trial.psnr_db:.2f} dB", trial.ssim, trial.lpips))
    elif trial.curve:
        step, psnr_db = trial.curve[-1]
        lines.append(f"{psnr_db:.2f} dB at step {step:,} (few images)")
    if trial.estimate:
        known = trial.estimate
        lines.append(f"{runtime_text(known.runtime_ms, known.low_ms, known.high_ms)} predicted")
        lines.append(f"{known.gmac:.3g} GMAC, {known.parameters:,} parameters")
        lines += [wrapped(note) for note in known.notes]
    if trial.log2_score is not None:
        lines.append(f"score {score_text(trial.log2_score)}")
    lines += [f"{escape(n)} {v:.4g}" for n, v in trial.probes.items() if v is not None]
    if trial.inherited is not None:
        lines.append(inherited_text(trial.inherited, trial.parent))
    if trial.reason:
        lines.append(wrapped(trial.reason))
    return "<br>".join(lines)


def inherited_text(share: float, parent: int | None) -> str:
    """For example "started with 87 % of its weights from trial 12"."""
    source = "a super-network" if parent is None else f"trial {parent}"
    return f"started with {share:.0%} of its weights from {source}".replace("%", " %")


def quality_text(psnr: str, ssim: float, lpips: float | None) -> str:
    """For example "28.31 dB, SSIM 0.8512, LPIPS 0.1034", the last where it was measured."""
    return f"{psnr}, SSIM {ssim:.4f}" + (f", LPIPS {lpips:.4f}" if lpips is not None else "")


def runtime_text(runtime_ms: float, low_ms: float, high_ms: float) -> str:
    """For example "9.81 ms (90 %: 6.86 to 14)"."""
    return f"{runtime_ms:.3g} ms (90 %: {low_ms:.3g} to {high_ms:.3g})"


def log_ticks(low: float, high: float) -> list[float]:
    """1-2-5 values within [low, high], both positive; of all digits where they are fewer than two,
    powers of ten where they are many."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

    def ticks(*digits: int) -> list[float]:
        values = [digit * 10.0**e for e in exponents for digit in digits]
        return [value for value in values if low <= value <= high]

    usual = ticks(1, 2, 5)
    if len(usual) < 2:
        return ticks(*range(1, 10))
    return usual if len(usual) <= 10 else ticks(1)

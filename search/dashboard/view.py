"""`View`: a page as data: its HTML, and the figures in it, which are fetched as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote

import jinja2
import plotly.graph_objects as go

from search.report.style import score_text
from search.report.tables import count_text
from search.study.results import TrialRecord
from spaces.label import label

from .assets import asset_url


@dataclass(frozen=True)
class Drawing:
    """A figure of a page, with its heading and what a reader must know of it.

    `height` in pixels keeps its place until it is drawn.
    """

    title: str
    caption: str
    draw: Callable[[], go.Figure]
    height: int = 360


@dataclass(frozen=True)
class View:
    """One page.

    `template` is filled with `context`; at `figures_url` the browser gets its figures. Where it is
    `live`, the browser asks there again and again, and for the page itself once `version`, which
    names the state of what is shown, is another one.
    """

    template: str
    title: str
    version: str
    context: Mapping[str, Any]
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    figures_url: str | None = None
    live: bool = False

    def page(self) -> str:
        """The page as HTML, without its figures."""
        return _templates().get_template(self.template).render(self.context, view=self)

    def figures(self) -> str:
        """The figures as one JSON document."""
        figures = ",".join(
            f"{json.dumps(name)}:{_document(name, drawing)}"
            for name, drawing in self.drawings.items()
        )
        return f'{{"version":{json.dumps(self.version)},"figures":{{{figures}}}}}'


def study_url(study: str, *parts: object) -> str:
    """A page of a study, for example of "trials", 12."""
    return "/".join(["/studies", quote(study, safe=""), *(quote(str(p), safe="") for p in parts)])


def picture_url(study: str, trial: TrialRecord, index: int, kind: str) -> str:
    """One of a trial's pictures. When it ended is part of it: what stands there never changes."""
    ended = int(trial.ended.timestamp()) if trial.ended else 0
    path = study_url(study, "trials", trial.number, "pictures", index, f"{kind}.png")
    return f"{path}?ended={ended}"


def _document(name: str, drawing: Drawing) -> str:
    # A reader's zoom and selection stay when the figure is drawn again.
    document: str = drawing.draw().update_layout(uirevision=name).to_json()
    return document


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("search.dashboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=asset_url, study_url=study_url, picture=picture_url)
    environment.filters.update(
        score=_score,
        count=count_text,
        network=_network,
        number=_number,
        ms=_ms,
        median=statistics.median,
        duration=duration_text,
    )
    return environment


def _score(log2_score: float | None) -> str:
    return "" if log2_score is None else score_text(log2_score)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _ms(value: float | None) -> str:
    """Three digits, and all of them of whole milliseconds."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _network(trial: TrialRecord) -> str:
    return label(trial.architecture) if trial.architecture else ""


def duration_text(seconds: float | None) -> str:
    """For example "3 h 20 min", "4 min", "under a minute"; nothing for None."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else "under a minute"

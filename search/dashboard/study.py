"""The pages of one study: its trials in the plane of PSNR and run time, and how it searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.datastructures import QueryParams

from search.live.studies import LiveStudies, StudyOverview
from search.report import markup
from search.report.figures import PANELS
from search.report.notes import SELECTION_NOTE, data_note, published_note, runtime_note
from search.study.results import StudyResults

from .query import COMPARED, SORTS, STATUSES, Filter
from .view import Drawing, View

_SEARCH_PANELS = (
    "score", "score_cpu", "hypervolume", "hypervolume_cpu", "importance", "choices", "slices",
    "surrogate", "curves", "timeline", "phases",
)  # fmt: skip


def pareto_view(studies: LiveStudies, name: str, query: QueryParams) -> View:
    """Quality against run time, and the table of trials; both show what passes the filter."""
    seen = seen_study(studies, name)
    results, study = seen.results, seen.overview
    shown = Filter.of(query)
    kept = shown.kept(results)
    shown = replace(shown, page=min(shown.page, shown.pages(len(kept.trials))))
    drawings = {
        "pareto": panel_drawing("pareto", kept, height=600),
        "published": panel_drawing("published", results, height=600),
    }
    context = {
        **seen.context("pareto"),
        "facts": Markup(markup.facts(results)),
        "winner": Markup(markup.winner(results)),
        "leaderboard": Markup(markup.leaderboard_html(results)),
        "failures": Markup(markup.failures(results)),
        "filter": shown,
        "rows": shown.rows(kept.trials),
        "matching": len(kept.trials),
        "pages": shown.pages(len(kept.trials)),
        "front": {trial.number for trial in kept.pareto_front()},
        "statuses": [s for s in STATUSES if s in study.counts or s in shown.statuses],
        "sorts": {key: words for key, (words, _) in SORTS.items()},
        "most_compared": COMPARED[1],
        "notes": [
            data_note(results), runtime_note(results), published_note(results), SELECTION_NOTE,
        ],
    }  # fmt: skip
    url = live_url(name, "pareto", query)
    return View("pareto.html", name, seen.version, context, drawings, url, live=True)


def search_view(studies: LiveStudies, name: str) -> View:
    """How the search went, and what its good candidates have in common."""
    seen = seen_study(studies, name)
    drawings = {panel: panel_drawing(panel, seen.results) for panel in _SEARCH_PANELS}
    title, url = f"Search of {name}", live_url(name, "search")
    context = seen.context("search")
    return View("search.html", title, seen.version, context, drawings, url, live=True)


@dataclass(frozen=True)
class SeenStudy:
    """A study at one moment. `version` is another one where anything else is."""

    results: StudyResults
    overview: StudyOverview
    version: str

    def context(self, tab: str) -> dict[str, Any]:
        """What the head of each page of a study shows."""
        return {"study": self.overview, "tab": tab}


def seen_study(studies: LiveStudies, name: str) -> SeenStudy:
    """What a study's pages are made of. Raises UserError where there is no such study."""
    # The results first: where it grows meanwhile, the version is that of what is shown.
    live = studies.results(name)
    overview = studies.summary(name)
    return SeenStudy(live.results, overview, f"{live.version}-{overview.state}")


def live_url(name: str, view: str, query: QueryParams | Mapping[str, object] | None = None) -> str:
    """Where the changes of a study's page are asked for."""
    pairs = QueryParams([("view", view), *_pairs(query)])
    return f"/live/{quote(name, safe='')}?{pairs}"


def panel_drawing(name: str, results: StudyResults, height: int = 360) -> Drawing:
    """One of the report's panels."""
    panel = PANELS[name]
    return Drawing(panel.title, panel.caption, partial(panel.draw, results), height)


def _pairs(query: QueryParams | Mapping[str, object] | None) -> list[tuple[str, str]]:
    if isinstance(query, QueryParams):
        return query.multi_items()
    return [(key, str(value)) for key, value in (query or {}).items()]

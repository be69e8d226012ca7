"""`write_report`: a study as one HTML file that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from search.artifacts import write_atomically
from search.full_training.record import trainings_of
from search.study.results import StudyResults

from . import markup
from .diagram import architecture_diagram
from .figures import PANELS
from .images import strips_html
from .measured import RescoredRow
from .notes import SELECTION_NOTE, data_note, published_note, runtime_note
from .trained import trained_html


def write_report(results: StudyResults, path: Path, measured: Sequence[RescoredRow] = ()) -> Path:
    """Write the report of `results` to `path`, whole or not at all, and return `path`.

    `measured`: the study scored by measured run times, to show them beside the predicted ones.

    The file embeds its script, styles, figures and pictures: it opens from a disk, without
    a network. About 5 MB, most of it plotly.js.
    """
    page = render_report(results, datetime.now().astimezone(), measured)
    write_atomically(path, lambda file: file.write(page.encode("utf-8")))
    return path


def render_report(
    results: StudyResults, made: datetime, measured: Sequence[RescoredRow] = ()
) -> str:
    """The page as text. `made` is printed as its date."""
    template = Template(template_text("report.html"))
    figures = {f"figure_{name}": figure_html(name, results) for name in PANELS}
    notes = (
        data_note(results),
        runtime_note(results),
        published_note(results),
        SELECTION_NOTE,
    )
    return template.substitute(
        figures,
        name=escape(results.config.name),
        made=made.strftime("%Y-%m-%d %H:%M %Z"),
        facts=markup.facts(results),
        data_note=escape(data_note(results)),
        winner=markup.winner(results),
        leaderboard=markup.leaderboard_html(results),
        trained_table=trained_html(results, trainings_of(results.config)),
        measured_table=markup.measured_html(measured),
        pareto_table=markup.pareto_html(results),
        published_table=markup.published_html(results.config.task_facts),
        classical_table=markup.classical_html(results),
        images=_images(results),
        architecture=_architecture(results),
        failures=markup.failures(results),
        notes="".join(f"<li>{escape(note)}</li>" for note in notes),
        style=template_text("style.css"),
        draw=template_text("draw.js"),
        plotly=get_plotlyjs(),
    )


def template_text(name: str) -> str:
    """A file of `templates`, from which the dashboard has its style and script too."""
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def figure_html(name: str, results: StudyResults) -> str:
    """One figure as data; the page's script draws it."""
    panel = PANELS[name]
    # Plotly writes "<" and "/" inside strings as escapes, so that no text can end the element.
    document = panel.draw(results).to_json()
    title, caption = escape(panel.title), escape(panel.caption)
    return (
        f'<figure class="panel" aria-label="{title}"><h3>{title}</h3>'
        f'<div class="plot" id="plot-{name}" role="img" aria-label="{title}. {caption}"></div>'
        f'<script type="application/json" data-for="plot-{name}">{document}</script>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _images(results: StudyResults) -> str:
    strips = strips_html(results)
    if not strips:
        return markup.paragraph("No pictures: no trained network has left any.")
    note = (
        "First validation images. PSNR is of each picture alone, before its compression for this "
        "page."
    )
    return markup.paragraph(note, "note") + strips


def _architecture(results: StudyResults) -> str:
    if results.winner is None:
        return markup.paragraph("No winner yet.")
    drawing = architecture_diagram(results.winner, results.config.task_facts)
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Diagram">{drawing}</div>'

"""The report of a bundle as Markdown and as one HTML file that needs nothing but a browser."""

from __future__ import annotations

from html import escape
from string import Template

from search.export.record import PICTURES
from search.report.images import jpeg_uri
from search.report.markup import paragraph, table
from search.report.page import template_text

from .contents import Report, Section, Table
from .pictures import Strip


def as_markdown(report: Report) -> str:
    """Its pictures are the files of the bundle."""
    facts = "\n".join(f"- {name}: {_plain(value)}" for name, value in report.facts)
    verdict = "\n".join(f"- **{_plain(line)}**" for line in report.verdict)
    sections = [_markdown_section(section) for section in report.sections]
    return "\n\n".join([f"# {_plain(report.title)}", facts, verdict, *sections]) + "\n"


def as_html(report: Report) -> str:
    """Its pictures are in it."""
    return Template(template_text("verification.html")).substitute(
        title=escape(report.title),
        facts="".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in report.facts),
        verdict="".join(paragraph(line, "lead") for line in report.verdict),
        sections="".join(map(_html_section, report.sections)),
        style=template_text("style.css"),
    )


def _markdown_section(section: Section) -> str:
    parts = [f"## {section.title}", *map(_plain, section.paragraphs)]
    parts += [_markdown_table(one) for one in section.tables]
    parts += [_markdown_strip(strip) for strip in section.strips]
    return "\n\n".join(parts)


def _markdown_table(found: Table) -> str:
    lines = [found.columns, tuple("---" for _ in found.columns), *found.rows]
    rows = "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)
    return f"{_plain(found.caption)}\n\n{rows}"


def _markdown_strip(strip: Strip) -> str:
    columns = tuple(picture.caption for picture in strip.pictures)
    images = tuple(f"![{p.caption}]({PICTURES}/{p.name})" for p in strip.pictures)
    rows = []
    for start in range(0, len(columns), _ACROSS):
        part = slice(start, start + _ACROSS)
        rows.append(
            f"| {' | '.join(map(_plain, columns[part]))} |\n"
            f"|{'---|' * len(columns[part])}\n| {' | '.join(images[part])} |"
        )
    return "\n\n".join([f"### {_plain(strip.title)}", *rows])


_ACROSS = 4
"""Pictures beside each other in Markdown, which cannot wrap them."""


def _plain(text: str) -> str:
    """`text` as Markdown shows it, whatever a study is called."""
    for mark in "\\`*[]<|":
        text = text.replace(mark, f"\\{mark}")
    return text


def _html_section(section: Section) -> str:
    name = section.title.lower().replace(" ", "-").replace(",", "")
    return (
        f'<section aria-labelledby="h-{name}"><h2 id="h-{name}">{escape(section.title)}</h2>'
        + "".join(paragraph(text, "note") for text in section.paragraphs)
        + "".join(table(one.caption, one.columns, one.rows) for one in section.tables)
        + "".join(map(_html_strip, section.strips))
        + "</section>"
    )


def _html_strip(strip: Strip) -> str:
    figures = "".join(
        f'<figure><img src="{jpeg_uri(p.jpeg)}" alt="{escape(p.caption, quote=True)}" '
        f'loading="lazy"><figcaption>{escape(p.caption)}</figcaption></figure>'
        for p in strip.pictures
    )
    title = escape(strip.title, quote=True)
    return f'<h3>{title}</h3><div class="strip" role="group" aria-label="{title}">{figures}</div>'

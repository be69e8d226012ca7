"""The tables of the command line. Their rows, and the page's, come from `rows`."""

from __future__ import annotations

from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from search.study.results import StudyResults
from search.tasks import Task
from spaces.zoo.published import PublishedRow

from .notes import (
    data_note,
    dataset_name,
    finals_budget,
    published_note,
    runtime_brief,
    search_budget,
)
from .rows import LeaderRow as LeaderRow
from .rows import leaderboard as leaderboard
from .rows import pareto_rows as pareto_rows
from .rows import published as published
from .rows import published_log2_score
from .style import score_text


def leaderboard_table(results: StudyResults) -> Table:
    """Finalists and published systems trained on the same data, then the best trials."""
    table = _table(
        results,
        f"{results.config.name}: leaderboard",
        f"Data: {dataset_name(results)}.\n{data_note(results)}\n{runtime_brief(results)}",
        seeds=True,
    )
    budgets = {"finals": finals_budget(results), "search": search_budget(results)}
    for stage, rows in groupby(leaderboard(results), key=lambda row: row.stage):
        _heading(table, f"{stage}: {budgets[stage]}")
        for row in rows:
            network = _network(row, f"{row.rank}. ")
            table.add_row(network, str(row.seeds), *_numbers(results, row))
        table.add_section()
    return table


def pareto_table(results: StudyResults) -> Table:
    """The Pareto set of the search, and under it the published rows."""
    task = results.config.task_facts
    table = _table(
        results,
        f"{results.config.name}: Pareto set, and the published results",
        f"{data_note(results)}\n{published_note(results)}",
    )
    _heading(table, f"{dataset_name(results)}, {search_budget(results)}; ms predicted")
    for row in pareto_rows(results):
        table.add_row(_network(row), *_numbers(results, row))
    table.add_section()
    _heading(table, f"published: challenge data; ms measured on {task.device}")
    for entry in published(task):
        table.add_row(*_published_cells(results, entry, task), style="dim")
    return table


def psnr_text(row: LeaderRow) -> str:
    """Mean and spread: "27.31 ± 0.05"; the mean alone for one seed."""
    spread = f" ± {row.spread_db:.2f}" if row.spread_db is not None else ""
    return f"{row.psnr_db:.2f}{spread}"


def count_text(count: int) -> str:
    """For example "58.3k", "4.50M"."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return str(count)


def lpips_text(value: float | None) -> str:
    """Four digits; nothing where there is none."""
    return "" if value is None else f"{value:.4f}"


def _lpips_cells(results: StudyResults, value: float | None) -> tuple[str, ...]:
    """A cell of a column that only some studies have."""
    return (lpips_text(value),) if results.with_lpips else ()


def _numbers(results: StudyResults, row: LeaderRow) -> tuple[str, ...]:
    return (
        psnr_text(row),
        f"{row.ssim:.3f}",
        *_lpips_cells(results, row.lpips),
        f"{row.runtime_ms:.3g} ({row.low_ms:.3g}-{row.high_ms:.3g})",
        score_text(row.log2_score),
    )


def _network(row: LeaderRow, prefix: str = "") -> Text:
    name = f"{row.name} (published)" if row.published_system else row.name
    return Text.assemble(f"{prefix}{name}\n", (row.label, "dim"))


def _published_cells(
    results: StudyResults, row: PublishedRow, task: Task
) -> tuple[str | Text, ...]:
    team = row.team if row.kind == "entry" else f"{row.team} ({row.kind})"
    return (
        Text(team),
        f"{row.psnr_db:.2f}",
        f"{row.ssim:.3f}" if row.ssim is not None else "",
        *_lpips_cells(results, row.lpips),
        f"{row.gpu_ms:.4g}",
        score_text(published_log2_score(row, task)),
    )


def _heading(table: Table, text: str) -> None:
    table.add_row(Text(text, style="italic"))


def _table(results: StudyResults, title: str, caption: str, *, seeds: bool = False) -> Table:
    table = Table(
        title=Text(title), caption=Text(caption), caption_justify="left", box=SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    table.add_column("network", overflow="fold")
    of_rows = ("seeds",) if seeds else ()
    lpips = ("LPIPS",) if results.with_lpips else ()
    for name in (*of_rows, "PSNR dB", "SSIM", *lpips, "ms (90 %)", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    return table

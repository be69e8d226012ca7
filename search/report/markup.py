"""The tables and texts of the page as HTML. Everything that is not ours to write is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from search.data.sample import GENERATOR_VERSION
from search.study.results import StudyResults
from search.tasks import Task

from .measured import RescoredRow, cells, how_measured
from .notes import dataset_name, finals_budget, search_budget
from .progress import status_counts
from .rows import LeaderRow, leaderboard, pareto_rows, published, published_log2_score
from .style import score_text
from .tables import count_text, lpips_text, psnr_text

MAX_REASONS = 10


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], css: str = ""
) -> str:
    """An HTML table; cells are escaped, the first column heads its row."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        # What scrolls sideways must be reached by keyboard.
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="{css}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def paragraph(text: str, css: str = "") -> str:
    """An escaped paragraph."""
    return f'<p class="{css}">{escape(text)}</p>' if css else f"<p>{escape(text)}</p>"


def facts(results: StudyResults) -> str:
    """The head of the page: what was searched, on what, for how long."""
    config = results.config
    counts = ", ".join(f"{n} {status}" for status, n in status_counts(results).items())
    limit = config.objective.max_runtime_ms
    entries = {
        "Task": config.task_facts.title,
        "Data": dataset_name(results),
        "Device": f"{config.device}, GPU; run times are predicted",
        "Search space": f"{config.space.name}, {config.search_space().size():.3g} architectures",
        "Objective": config.objective.kind
        + (f", run time at most {limit:g} ms" if limit is not None else ""),
        "Sampler": config.sampler.name
        + (f", among {config.probing.candidates} probed candidates" if config.probing else ""),
        "Training of a trial": search_budget(results),
        "Training of a finalist": finals_budget(results),
        "Trials": f"{results.trained} of {config.trials} trained ({counts or 'none yet'})",
    }
    return "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in entries.items())


def winner(results: StudyResults) -> str:
    """The result in a few sentences."""
    rows = leaderboard(results)
    if not rows:
        return paragraph("No trial is complete yet, so there is no winner.")
    best = rows[0]
    stage = "of the finals" if best.stage == "finals" else "of the search (no finals yet)"
    score = score_text(best.log2_score)
    text = (
        f"Best {stage}: {best.name}. {_psnr_and_runtime(best)}, {count_text(best.parameters)} "
        f"parameters, score {score} on this study's data."
    )
    rivals = [r for r in rows if r.published_system and r.stage == best.stage]
    if best.published_system:
        text += " That is a published system: the search found nothing that scores better."
    elif rivals:
        text += " " + _against(best, rivals[0])
    notes = "".join(paragraph(f"Reservation: {note}", "note") for note in best.notes)
    return paragraph(text, "lead") + f"<p><code>{escape(best.label)}</code></p>" + notes


def leaderboard_html(results: StudyResults) -> str:
    """Finals and top trials, each stage under its own caption."""
    rows = leaderboard(results)
    if not rows:
        return paragraph("No complete trial yet.")
    others = "; those that were no finalists" if results.finals else ""
    captions = {
        "finals": f"Finals: {finals_budget(results)}; PSNR mean ± standard deviation of the seeds",
        "search": f"Search: {search_budget(results)}" + others,
    }
    tables = "".join(
        _rows_table(f"{text}. Data: {dataset_name(results)}.", group)
        for stage, text in captions.items()
        if (group := [r for r in rows if r.stage == stage])
    )
    return tables + _reservations(rows)


def measured_html(rows: Sequence[RescoredRow]) -> str:
    """Measured run times beside the predicted ones; nothing where none were asked for."""
    if not rows:
        return ""
    return table(
        f"Scored by measured run times, ranked among the measured of a stage. {how_measured(rows)}",
        ("network", "stage", "PSNR dB", "ms predicted", "ms measured", "score predicted",
         "score measured"),
        ((name, row.row.stage, *rest) for row in rows for name, *rest in [cells(row)]),
    )  # fmt: skip


def _reservations(rows: Sequence[LeaderRow]) -> str:
    """What the oracle says against its own predictions, each note once."""
    names: dict[str, list[str]] = {}
    for row in rows:
        for note in row.notes:
            names.setdefault(note, []).append(row.name)
    return "".join(
        paragraph(f"* {'all' if len(of) == len(rows) else ', '.join(of)}: {note}", "note")
        for note, of in list(names.items())[:MAX_REASONS]
    )


def pareto_html(results: StudyResults) -> str:
    """The Pareto set of the search."""
    rows = pareto_rows(results)
    if not rows:
        return paragraph("No complete trial yet.")
    return table(
        f"Pareto set of the search ({search_budget(results)}), predicted run times. "
        f"Data: {dataset_name(results)}.",
        ("found as", "PSNR dB", "ms", "params", "score", "network"),
        (_short_cells(row) for row in rows),
        css="networks",
    )


def published_html(task: Task) -> str:
    """The published rows that were timed on the GPU."""
    rows = published(task)
    if not rows:
        return ""
    with_lpips = any(row.lpips is not None for row in rows)
    return table(
        "Published (challenge data, measured on the phone)",
        ("team", "PSNR dB", "SSIM", *(("LPIPS",) if with_lpips else ()), "ms", "score", "kind"),
        (
            (
                row.team,
                f"{row.psnr_db:.2f}",
                f"{row.ssim:.4f}" if row.ssim is not None else "",
                *((lpips_text(row.lpips),) if with_lpips else ()),
                f"{row.gpu_ms:.4g}",
                score_text(published_log2_score(row, task)),
                row.kind,
            )
            for row in rows
        ),
    )


def classical_html(results: StudyResults) -> str:
    """What classical pipelines reach on the same sample data, where it is still there."""
    baselines = classical_baselines(results)
    if not baselines:
        return ""
    return table(
        "Classical pipelines on the same validation images: what a network has to pass",
        ("pipeline", "PSNR dB"),
        ((name, f"{psnr_db:.2f}") for name, psnr_db in baselines.items()),
    )


def classical_baselines(results: StudyResults) -> dict[str, float]:
    """PSNR in dB by pipeline, as the generator stored it; {} where no such data are found."""
    data = results.config.data
    if data.dataset != "sample":
        return {}
    wanted = {
        "task": results.config.task,
        "seed": data.seed,
        "patch": data.patch,
        "counts": {"train": data.train, "val": data.val},
        "generator_version": GENERATOR_VERSION,
    }
    for path in sorted(data.root.glob(f"sample-{results.config.task}-*/meta.json")):
        try:
            meta = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(meta, dict) and all(meta.get(k) == v for k, v in wanted.items()):
            return {str(k): float(v) for k, v in meta.get("baselines_psnr_db", {}).items()}
    return {}


def failures(results: StudyResults) -> str:
    """The reasons of failed trials."""
    failed = [t for t in results.trials if t.status == "failed"]
    if not failed:
        return ""
    items = "".join(
        f"<li>trial {t.number}: {escape(t.reason or 'no reason recorded')}</li>"
        for t in failed[:MAX_REASONS]
    )
    more = len(failed) - MAX_REASONS
    tail = f"<li>and {more} more</li>" if more > 0 else ""
    return f"<h3>Failed trials</h3><ul>{items}{tail}</ul>"


def _rows_table(caption: str, rows: Sequence[LeaderRow]) -> str:
    reserved = any(row.notes for row in rows)
    with_lpips = any(row.lpips is not None for row in rows)
    lpips = ("LPIPS",) if with_lpips else ()
    # Finals may differ in them; a trial has one, as its caption says.
    with_seeds = any(row.stage == "finals" for row in rows)
    seeds = ("seeds",) if with_seeds else ()
    return table(
        caption
        + (" LPIPS: lower is better." if with_lpips else "")
        + (" * with a reservation, below." if reserved else ""),
        ("#", "found as", *seeds, "PSNR dB", "SSIM", *lpips, "ms", "90 %", "GMAC", "params",
         "score", "network"),
        ((str(row.rank), *_cells(row, with_lpips, with_seeds)) for row in rows),
        css="networks",
    )  # fmt: skip


def _cells(row: LeaderRow, with_lpips: bool, with_seeds: bool) -> tuple[str, ...]:
    name, psnr_db, runtime_ms, parameters, score, network = _short_cells(row)
    interval = f"{row.low_ms:.3g} to {row.high_ms:.3g}"
    seeds = (str(row.seeds),) if with_seeds else ()
    lpips = (lpips_text(row.lpips),) if with_lpips else ()
    quality = (*seeds, psnr_db, f"{row.ssim:.4f}", *lpips)
    return name, *quality, runtime_ms, interval, f"{row.gmac:.3g}", parameters, score, network


def _short_cells(row: LeaderRow) -> tuple[str, ...]:
    return (
        f"{row.name} (published system)" if row.published_system else row.name,
        psnr_text(row),
        f"{row.runtime_ms:.3g}{'*' if row.notes else ''}",
        count_text(row.parameters),
        score_text(row.log2_score),
        row.label,
    )


def _psnr_and_runtime(row: LeaderRow) -> str:
    seeds = f" over {row.seeds} seeds" if row.seeds > 1 else ", one seed"
    return (
        f"{psnr_text(row)} dB{seeds} at a predicted {row.runtime_ms:.3g} ms "
        f"(90 %: {row.low_ms:.3g} to {row.high_ms:.3g} ms)"
    )


def _against(best: LeaderRow, rival: LeaderRow) -> str:
    """How the winner stands to the best published system that was trained alike."""
    gain_db = best.psnr_db - rival.psnr_db
    ratio = best.runtime_ms / rival.runtime_ms
    within = (
        " (within the spread of the seeds)"
        if best.spread_db is not None
        and rival.spread_db is not None
        and abs(gain_db) <= best.spread_db + rival.spread_db
        else ""
    )
    return (
        f"The best published system trained on the same data with the same budget, {rival.name}: "
        f"{_psnr_and_runtime(rival)}, score {score_text(rival.log2_score)}. Against it: "
        f"{gain_db:+.2f} dB{within} at {ratio:.3g} times its predicted run time."
    )

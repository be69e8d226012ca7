"""Full trainings of a study's networks, for the command line and for the page."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from search.full_training.record import TrainingRecord
from search.study.results import StudyResults

from .markup import table
from .notes import dataset_name

_COLUMNS = ("network", "steps", "PSNR dB", "SSIM", "folder")


def trained_html(results: StudyResults, trainings: Mapping[str, TrainingRecord]) -> str:
    """A table of `trainings` (by their folders' names); nothing where there are none."""
    if not trainings:
        return ""
    caption = f"Trained to the end (lensnas train). Data: {dataset_name(results)}."
    return table(caption, _COLUMNS, _rows(trainings))


def trained_table(results: StudyResults, trainings: Mapping[str, TrainingRecord]) -> Table:
    """The same for a terminal."""
    found = Table(
        title=Text(f"{results.config.name}: trained to the end"),
        caption=Text(f"Data: {dataset_name(results)}."), caption_justify="left", box=SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    for name in _COLUMNS:
        numeric = name not in ("network", "folder")
        found.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in _rows(trainings):
        found.add_row(*map(Text, row))
    return found


def _rows(trainings: Mapping[str, TrainingRecord]) -> list[tuple[str, ...]]:
    return [
        (record.origin, str(record.steps), *_measured(record), f"trained/{name}")
        for name, record in trainings.items()
    ]


def _measured(record: TrainingRecord) -> tuple[str, str]:
    result = record.result
    return ("not ended", "") if result is None else (f"{result.psnr_db:.2f}", f"{result.ssim:.3f}")

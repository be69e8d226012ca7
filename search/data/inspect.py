"""Look at a data set: a report for the terminal and a contact sheet for the eye."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from search.data.check import DatasetReport, check_dataset
from search.data.folders import LAYOUTS, DatasetName, detect_dataset, list_pairs
from search.data.isp import quick_look
from search.data.pairs import SPLITS, PairSource, PreparedPairs
from search.data.sample import evenly_spaced
from search.errors import UserError

DatasetKind = Literal["sample", DatasetName]
Progress = Callable[[str, int, int], None]
"""Called as progress(split, pairs done, pairs in all)."""

TILE_PX, SHEET_COLUMNS, CAPTION_PX = 192, 3, 18
BROKEN_SHOWN = 10


@dataclass(frozen=True)
class Inspection:
    """Sources of one data set and what checking them found, split by split.

    `notes`: facts on the data set's making, shown line by line; empty for real data.
    """

    sources: Sequence[PairSource]
    reports: Sequence[DatasetReport]
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def dataset(self) -> str:
        """The name to print everywhere; sample data says so in it."""
        return self.sources[0].meta.dataset

    @property
    def broken(self) -> int:
        """Broken files of all splits."""
        return sum(len(report.broken) for report in self.reports)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready report."""
        meta = self.sources[0].meta
        return {
            "dataset": meta.dataset,
            "task": meta.task,
            "sensor": None if meta.sensor is None else meta.sensor.to_dict(),
            "notes": dict(self.notes),
            "baselines_psnr_db": dict(meta.baselines_psnr_db),
            "splits": {
                source.meta.split: _report_dict(report)
                for source, report in zip(self.sources, self.reports, strict=True)
            },
        }

    def to_text(self, width: int = 100) -> str:
        """The report as plain text for a terminal of `width` columns."""
        console = Console(file=io.StringIO(), width=width, no_color=True, highlight=False)
        console.print(f"{self.dataset}, task {self.sources[0].meta.task}", markup=False)
        for name, value in self.notes:
            console.print(f"  {name}: {value}", markup=False)
        console.print(_pairs_table(self))
        baselines = self.sources[0].meta.baselines_psnr_db
        if baselines:
            console.print(_baseline_table(self.dataset, baselines))
        for report in self.reports:
            for path, reason in report.broken[:BROKEN_SHOWN]:
                console.print(f"broken: {path}: {reason}", markup=False, soft_wrap=True)
            if len(report.broken) > BROKEN_SHOWN:
                console.print(f"... and {len(report.broken) - BROKEN_SHOWN} more")
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text.rstrip() + "\n"


def inspect_source(source: PairSource, progress: Progress | None = None) -> Inspection:
    """Check one split of any source."""
    return Inspection((source,), (_check(source, progress),))


def inspect_directory(
    root: Path, dataset: DatasetKind | None = None, progress: Progress | None = None
) -> Inspection:
    """Check every split in a directory; which data set it is, is detected unless given.

    Raises `UserError` if the directory is none of them, or has no pairs at all.
    """
    kind = dataset or detect(root)
    if kind == "sample":
        prepared = [PreparedPairs(root, split) for split in SPLITS]
        notes = _sample_notes(prepared[0].description)
        return Inspection(prepared, [_check(source, progress) for source in prepared], notes)
    listed, problems = [], []
    for split in SPLITS:
        try:
            listed.append(list_pairs(kind, root, split))
        except UserError as error:
            problems.append(str(error))
    if not listed:
        raise UserError(problems[0])
    notes = tuple(("missing split", problem) for problem in problems)
    return Inspection(listed, [_check(source, progress) for source in listed], notes)


def detect(root: Path) -> DatasetKind:
    """Which data set a directory holds; the `UserError` for none lists what is near it."""
    if not root.is_dir():
        raise UserError(f"{root} is not a directory")
    if (root / "meta.json").exists():
        return "sample"
    kind = detect_dataset(root)
    if kind is not None:
        return kind
    inside = sorted(path.parent.name for path in root.glob("sample-*/meta.json"))
    if inside:
        raise UserError(
            f"{root} holds {len(inside)} prepared sets, choose one: {', '.join(inside)}"
        )
    titles = ", ".join(layout.title for layout in LAYOUTS.values())
    raise UserError(f"{root} is neither a prepared data set nor in the layout of {titles}")


def contact_sheet(source: PairSource, pairs: int = 24) -> Image.Image:
    """Evenly chosen pairs side by side: input (RAW as a dark quick look), target."""
    chosen = evenly_spaced(len(source), pairs)
    columns = min(SHEET_COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    gap = 6
    cell_width, cell_height = 2 * TILE_PX + gap, TILE_PX + gap
    sheet = Image.new(
        "RGB", (columns * cell_width + gap, rows * cell_height + gap + CAPTION_PX), "white"
    )
    caption = f"{source.meta.dataset}, {source.meta.split}: input left, target right"
    ImageDraw.Draw(sheet).text((gap, 3), caption, fill="black")
    for place, index in enumerate(chosen):
        row, column = divmod(place, columns)
        left, top = gap + column * cell_width, gap + CAPTION_PX + row * cell_height
        for side, image in enumerate(_viewable(source, index)):
            sheet.paste(_tile(image), (left + side * TILE_PX, top))
    return sheet


def write_contact_sheet(source: PairSource, path: Path, pairs: int = 24) -> Path:
    """Save `contact_sheet` as an image; raises `UserError` if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(source, pairs).save(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write the contact sheet {path}: {error}") from error
    return path


def _check(source: PairSource, progress: Progress | None) -> DatasetReport:
    if progress is None:
        return check_dataset(source)
    split = source.meta.split
    return check_dataset(source, lambda done, pairs: progress(split, done, pairs))


def _viewable(source: PairSource, index: int) -> tuple[npt.NDArray[np.uint8], ...]:
    network_input, target = source.read(index)
    sensor = source.meta.sensor
    return (network_input if sensor is None else quick_look(network_input, sensor)), target


def _tile(image: npt.NDArray[np.uint8]) -> Image.Image:
    tile = Image.fromarray(np.ascontiguousarray(image))
    return tile.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)


def _sample_notes(description: Any) -> tuple[tuple[str, str], ...]:
    photographs = description["photographs"]
    return (
        ("photographs", f"{len(photographs['train'])} train, {len(photographs['val'])} val"),
        ("validation photographs", ", ".join(photographs["val"])),
        ("seed", str(description["seed"])),
        ("generator version", str(description["generator_version"])),
        ("licence", description["licence"]),
    )


def _pairs_table(inspection: Inspection) -> Table:
    table = Table(title=f"pairs: {inspection.dataset}", title_justify="left")
    for heading in ("split", "pairs", "broken", "input", "input values", "target", "target values"):
        table.add_column(heading, justify="left")
    for source, report in zip(inspection.sources, inspection.reports, strict=True):
        table.add_row(
            source.meta.split,
            str(report.pairs),
            str(len(report.broken)),
            _shapes(report.input_shapes),
            "{}..{}".format(*report.input_range),
            _shapes(report.target_shapes),
            "{}..{}".format(*report.target_range),
        )
    return table


def _baseline_table(dataset: str, baselines: Any) -> Table:
    table = Table(title=f"classical baselines, validation of {dataset}", title_justify="left")
    table.add_column("method")
    table.add_column("PSNR, dB", justify="right")
    for name, psnr in baselines.items():
        table.add_row(name, f"{psnr:.2f}")
    return table


def _shapes(counts: dict[tuple[int, ...], int]) -> str:
    names = ["x".join(map(str, shape)) for shape in counts]
    return names[0] if len(names) == 1 else f"{len(names)} sizes" if names else "none"


def _report_dict(report: DatasetReport) -> dict[str, Any]:
    def shapes(counts: dict[tuple[int, ...], int]) -> dict[str, int]:
        return {"x".join(map(str, shape)): count for shape, count in counts.items()}

    return {
        "pairs": report.pairs,
        "input_shapes": shapes(report.input_shapes),
        "target_shapes": shapes(report.target_shapes),
        "input_range": list(report.input_range),
        "target_range": list(report.target_range),
        "broken": [{"file": str(path), "reason": reason} for path, reason in report.broken],
    }


DATASET_KINDS: tuple[str, ...] = ("sample", *get_args(DatasetName))

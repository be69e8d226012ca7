"""What the terminal shows while a study runs."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from search.config import StudyConfig
from search.study.estimate import Estimate
from search.study.results import FREE, FinalRun, TrialRecord
from spaces.label import label


def progress_bars(console: Console) -> Progress:
    """Bars with the time that is left, each with a `note`; none where there is no terminal."""
    return Progress(
        TextColumn("[bold]{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False, table_column=Column(no_wrap=True)),
        TextColumn(
            "{task.fields[note]}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        console=console,
        expand=True,
        disable=not console.is_terminal,
    )


class ConsoleObserver:
    """One line for every training run that has ended; on a terminal also progress bars."""

    def __init__(self, console: Console, config: StudyConfig) -> None:
        self.console = console
        self.config = config
        self.best: float | None = None
        self.skipped: Counter[str] = Counter()
        self._bars: dict[str, TaskID] = {}
        self._progress = progress_bars(console)

    def __enter__(self) -> ConsoleObserver:
        self._say(_introduction(self.config))
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, title: str, done: int, total: int) -> None:
        """Show or advance the bar of a stage; without a terminal, one line when it begins."""
        if title not in self._bars:
            self._bars[title] = self._progress.add_task(title, total=total, note="")
            if not self.console.is_terminal:
                self._say(f"{title}: {done} of {total} done" if total > 1 else title)
        self._progress.update(self._bars[title], completed=done, total=total)
        if done >= total:
            self._note("")

    def started(self, label: str, estimate: Estimate) -> None:
        """Name the running job beside the newest bar."""
        self._note(f"{label}: {estimate.runtime_ms:.1f} ms")

    def rung(self, label: str, step: int, psnr_db: float) -> None:
        """Show the PSNR at a rung."""
        self._note(f"{label}: {psnr_db:.2f} dB at step {step}")

    def trial(self, record: TrialRecord) -> None:
        """One line for a trained trial; those that cost no training are counted."""
        if record.status in FREE:
            self.skipped[record.status] += 1
            self._note("")
            return
        network = label(record.architecture) if record.architecture else ""
        what = f"trial {record.number:>4}"
        shown = escape(f"{record.baseline}: {network}" if record.baseline else network)
        if record.status != "complete" or record.estimate is None or record.log2_score is None:
            self._say(f"{what}  {record.status}: {escape(record.reason or '')}  [dim]{shown}[/]")
            return
        star = "    "
        if self.best is None or record.log2_score > self.best:
            self.best, star = record.log2_score, "[green]best[/]"
        self._say(
            f"{what}  {record.psnr_db:5.2f} dB  {_lpips(record)}"
            f"{record.estimate.runtime_ms:7.2f} ms  "
            f"score {2.0**record.log2_score:<9.4g} {star}  [dim]{shown}[/]"
        )

    def final(self, run: FinalRun) -> None:
        """One line for a run of the finals."""
        shown = escape(label(run.architecture))
        self._say(
            f"seed {run.seed:>5}  {run.psnr_db:5.2f} dB  {_lpips(run)}"
            f"{run.estimate.runtime_ms:7.2f} ms  "
            f"[dim]{shown}[/]"
        )

    def warn(self, message: str) -> None:
        """A warning on a line of its own."""
        self._say(f"[yellow]warning:[/] {escape(message)}")

    def note(self, message: str) -> None:
        """A line of its own."""
        self._say(escape(message))

    def _say(self, line: str) -> None:
        """Unbroken, so that a log has one line for one event."""
        self.console.print(line, highlight=False, soft_wrap=True)

    def _note(self, text: str) -> None:
        if self._bars:
            note = "  ".join(part for part in (text, self._free()) if part)
            self._progress.update(list(self._bars.values())[-1], note=note)

    def _free(self) -> str:
        """The candidates that were judged without training."""
        return ", ".join(f"{count} {status}" for status, count in self.skipped.items())


def _lpips(found: TrialRecord | FinalRun) -> str:
    return "" if found.lpips is None else f"LPIPS {found.lpips:.4f}  "


def _introduction(config: StudyConfig) -> str:
    """What the numbers below it are of."""
    return escape(
        f"Study {config.name}: {config.trials} trials of {config.training.steps} steps, "
        f"kept in {config.directory}\n"
        f"dB: PSNR on validation images of {config.data.dataset} data; "
        f"ms: predicted for {config.device}"
    )

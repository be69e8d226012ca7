"""What the terminal shows of one long training, and how its user stops it."""

from __future__ import annotations

import signal
import time
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID

from search.study.observer import Silent

from .progress import progress_bars

SAID_EVERY_S = 30.0
"""Without a terminal, beside a line for every look at validation images."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TrainingScreen(Silent):
    """A bar on a terminal, a line now and then without one; the first Ctrl-C asks for a stop.

    Within the block SIGINT, SIGTERM and SIGHUP stop a training after its step, with a checkpoint.
    The second of them, or one while nothing is trained, ends the command at once.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = progress_bars(console)
        self._bar: TaskID | None = None
        self._asked = self._timed = False
        self._before: dict[int, object] = {}
        self._step = self._first = self._steps = 0
        self._loss = self._psnr_db = float("nan")
        self._since = self._said = time.monotonic()

    def __enter__(self) -> TrainingScreen:
        for number in _SIGNALS:
            found = signal.getsignal(number)
            if found != signal.SIG_IGN:  # as by nohup
                self._before[number] = found
                signal.signal(number, self._interrupted)
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
        self._as_before()

    def begins(self, title: str, step: int, steps: int) -> None:
        """See `Screen.begins`."""
        self._step = self._first = step
        self._steps, self._timed = steps, False
        self._loss = self._psnr_db = float("nan")  # Of the teacher, where there was one.
        self._since = self._said = time.monotonic()
        self._bar = self._bars.add_task(title, total=steps, completed=step, note="")
        if not self._console.is_terminal:
            self.note(f"{title}: {step} of {steps} steps done")

    def stepped(self, step: int, loss: float) -> None:
        """See `Screen.stepped`."""
        self._step, self._loss = step, loss
        if not self._timed:
            # The first step is compiled, and says nothing of the others' time.
            self._first, self._since, self._timed = step, time.monotonic(), True
        if self._bar is not None:
            self._bars.update(self._bar, completed=step, note=self._measured())
        if not self._console.is_terminal and time.monotonic() - self._said > SAID_EVERY_S:
            self._say()

    def measured(self, step: int, psnr_db: float) -> None:
        """See `Screen.measured`."""
        self._step, self._psnr_db = step, psnr_db
        self._say()

    def note(self, message: str) -> None:
        """A line of its own."""
        self._console.print(escape(message), highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        """See `Observer.warn`."""
        self.note(f"warning: {message}")

    def stage(self, title: str, done: int, total: int) -> None:
        """See `Observer.stage`: a line when it begins."""
        if done == 0:
            self.note(title)

    def stops(self) -> bool:
        """See `Screen.stops`."""
        return self._asked

    def _say(self) -> None:
        self._said = time.monotonic()
        left = self._left()
        self.note(f"step {self._step} of {self._steps}  {self._measured()}" + left)

    def _measured(self) -> str:
        """Loss, PSNR and speed, as far as they are known."""
        parts = [
            f"loss {self._loss:.4g}" if self._loss == self._loss else "",
            f"{self._psnr_db:.2f} dB" if self._psnr_db == self._psnr_db else "",
            f"{self._speed():.3g} steps/s" if self._speed() else "",
        ]
        return "  ".join(part for part in parts if part)

    def _speed(self) -> float:
        """Steps a second of this call, validation included; 0 where it is not known yet."""
        spent = time.monotonic() - self._since
        return (self._step - self._first) / spent if spent > 0 else 0.0

    def _left(self) -> str:
        speed = self._speed()
        if not speed or self._step == self._steps:
            return ""
        return f"  {_duration((self._steps - self._step) / speed)} left"

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self._as_before()
        if self._bar is None:
            raise KeyboardInterrupt
        self._asked = True
        self.note("stopping after this step, with a checkpoint; once more ends it at once")

    def _as_before(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}


def _duration(seconds: float) -> str:
    """As 45 s, 12 min, 3 h 20 min or 2 d 5 h."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"

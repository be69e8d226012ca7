"""`Limits`: what one training run may take of the machine, and what its death may cost."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from search.errors import UserError

_HELD = ("RssAnon", "RssShmem", "VmSwap")
"""What a process has allocated, in /proc/PID/status. The pages of files that it maps, such as
prepared data, are the system's to take back and do not count."""


class Limits(BaseModel):
    """Of every training run of a study: trials, finals and probes. None: no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="wall time from the start of its worker"
    )
    memory_gb: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="that its worker allocates, in 10^9 bytes"
    )
    retries: int = Field(2, ge=0, le=100, description="after deaths of its worker")
    checkpoint_seconds: float = Field(
        60.0, ge=0, allow_inf_nan=False, description="of training between two checkpoints"
    )

    @property
    def watched(self) -> bool:
        """Whether a worker at work has to be looked at."""
        return self.minutes is not None or self.memory_gb is not None

    def exceeded(self, pid: int, running_s: float) -> str | None:
        """Why the worker `pid`, started `running_s` seconds ago, has to be ended; None if not."""
        if self.minutes is not None and running_s > 60 * self.minutes:
            return f"it took longer than limits.minutes: {self.minutes:g}"
        if self.memory_gb is not None and held_bytes(pid) > self.memory_gb * 1e9:
            return f"its worker allocated more than limits.memory_gb: {self.memory_gb:g}"
        return None


UNLIMITED = Limits()


def check_limits(limits: Limits) -> None:
    """UserError for a limit that cannot be watched on this machine."""
    if limits.memory_gb is not None and not Path("/proc/self/status").exists():
        raise UserError("limits.memory_gb needs Linux's /proc: leave it out on this machine")


def held_bytes(pid: int) -> int:
    """Memory that the process has allocated, swapped out or not; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in lines)
    return 1024 * sum(int(fields[name].split()[0]) for name in _HELD if name in fields)

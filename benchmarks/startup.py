"""How long `import latency` and `lensnas --help` take in a fresh process, and what they import.

    python benchmarks/startup.py              median of 10 processes each
    python benchmarks/startup.py --count 3 --json

The exit code is 1 if one of them imports a module it must do without: both start
the slow packages only in the commands that need them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

HEAVY = ("numpy", "tensorflow", "keras", "pandas", "optuna", "sqlalchemy", "plotly", "PIL")
"""Packages that take a tenth of a second or more to import."""

PROGRAMS = {
    "python -c pass": "",
    "import latency": "import latency",
    "lensnas --help": (
        "import sys; sys.argv = ['lensnas', '--help']; from search.cli.main import main; main()"
    ),
}


def seconds(program: str) -> tuple[float, float]:
    """Wall and CPU seconds of one fresh interpreter that runs `program`."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def heavy_imports(program: str) -> list[str]:
    """Which of `HEAVY` are loaded when `program` ends."""
    listing = (
        f"import atexit, sys\n"
        f"atexit.register(lambda: print(*(m for m in {HEAVY} if m in sys.modules), "
        f"file=sys.stderr))\n{program}"
    )
    done = subprocess.run(
        [sys.executable, "-c", listing], check=True, capture_output=True, text=True
    )
    return done.stderr.split()


def measure(count: int) -> dict[str, Any]:
    """Everything as a JSON document."""
    programs = {}
    for name, program in PROGRAMS.items():
        wall, cpu = zip(*(seconds(program) for _ in range(count)), strict=True)
        programs[name] = {
            "median_wall_s": statistics.median(wall),
            "median_cpu_s": statistics.median(cpu),
            "heavy_imports": heavy_imports(program),
        }
    machine = {
        "cores": os.cpu_count(),
        "cpu": platform.machine(),
        "python": platform.python_version(),
    }
    return {"machine": machine, "count": count, "programs": programs}


def report(found: dict[str, Any]) -> str:
    """The document as a table."""
    machine = found["machine"]
    lines = [
        f"{machine['cores']} cores {machine['cpu']}, Python {machine['python']}; "
        f"median of {found['count']} processes",
        f"{'':16} wall s   CPU s  heavy imports",
    ]
    for name, row in found["programs"].items():
        heavy = ", ".join(row["heavy_imports"]) or "none"
        lines.append(f"{name:16} {row['median_wall_s']:6.2f}  {row['median_cpu_s']:6.2f}  {heavy}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10, help="processes a program")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.count < 1:
        parser.error("--count: at least 1")
    found = measure(options.count)
    print(json.dumps(found, indent=2) if options.json else report(found))
    return int(any(row["heavy_imports"] for row in found["programs"].values()))


if __name__ == "__main__":
    sys.exit(main())

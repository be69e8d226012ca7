"""Where the wall time of a study's trials went: steps, first step, validation, the rest.

    python benchmarks/study_time.py runs/quickstart_isp/study.db quickstart_isp

Reads what the trials recorded; trains nothing. "steps" are training steps after the first, "first"
is the first one, which includes tracing the graph.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from search.study.results import read_results
from search.study.storage import load_study

PHASES = ("initialise", "first_step", "steps", "validate", "wait")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("storage", type=Path)
    parser.add_argument("study")
    options = parser.parse_args()
    url = f"sqlite:///{options.storage.as_posix()}"
    results = read_results(*load_study(url, options.study))
    rows = [
        (f"trial {t.number}", t.seconds, (t.ended - t.started).total_seconds())
        for t in results.trials
        if t.status == "complete" and t.started and t.ended
    ]
    rows += [
        (f"final {f.architecture.digest}", f.seconds, f.seconds["total"]) for f in results.finals
    ]
    print(f"{'run':<20}{'wall s':>8}" + "".join(f"{phase:>12}" for phase in PHASES) + "   training")
    shares = []
    for name, seconds, wall in rows:
        share = (seconds["steps"] + seconds["first_step"]) / wall
        shares.append(share)
        cells = "".join(f"{seconds.get(phase, 0.0):>12.2f}" for phase in PHASES)
        print(f"{name:<20}{wall:>8.2f}{cells}{share:>11.1%}")
    print(f"median share of training steps: {statistics.median(shares):.1%} of {len(shares)} runs")


if __name__ == "__main__":
    main()

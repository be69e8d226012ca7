"""Studies whose workers, driver and database are killed at random moments: is anything lost?

    python benchmarks/faults.py --rounds 50 --results faults.jsonl

Every round is a small study through the real command line with 2 to 5 faults, drawn by the
round's seed: SIGKILL of a worker, of the driver (started again) or of the PostgreSQL server
(started again after up to four seconds); SQLite's file locked by another process; a second driver
of the same study; the clock set back by hours or years, or forth (with Debian's faketime). Odd
rounds are kept in PostgreSQL (Debian's package must be installed), even ones in an SQLite file.
Rounds that are in the results file already are not run again.

After each: everything that the command said was complete is stored with the same PSNR; no trial
number, index or architecture came twice; the study ended with the trials it was to have. And over
all rounds, whatever was killed around it, an architecture has one PSNR.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "search"))

import postgres_server
from faults import study_round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--trials", type=int, default=8, help="of each study")
    parser.add_argument("--results", type=Path, default=Path("faults.jsonl"))
    arguments = parser.parse_args()
    rounds = read(arguments.results)
    wanted = [seed for seed in range(arguments.rounds) if seed not in {r["seed"] for r in rounds}]
    if reason := postgres_server.missing():
        print(f"SQLite alone: {reason}", file=sys.stderr)
        wanted = [seed for seed in wanted if seed % 2 == 0]
    rounds += run(wanted, arguments.trials, arguments.results)
    print(table(rounds))
    sys.exit(any(r["problems"] for r in rounds) or bool(several_psnrs(rounds)))


def read(results: Path) -> list[dict[str, Any]]:
    lines = results.read_text().splitlines() if results.exists() else []
    return [json.loads(line) for line in lines]


def run(seeds: list[int], trials: int, results: Path) -> list[dict[str, Any]]:
    done = []
    server = postgres_server.Server() if any(seed % 2 for seed in seeds) else None
    try:
        with tempfile.TemporaryDirectory() as parent:
            for seed in seeds:
                folder = Path(parent) / f"round{seed}"
                folder.mkdir()
                outcome = study_round(seed, folder, server if seed % 2 else None, trials=trials)
                done.append(outcome.to_dict())
                with results.open("a") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                said = "; ".join(outcome.problems) or "nothing lost"
                print(f"round {seed}: {', '.join(outcome.faults)}: {said}", flush=True)
    finally:
        if server is not None:
            server.remove()
    return done


def several_psnrs(rounds: list[dict[str, Any]]) -> list[str]:
    """Architectures that were not measured alike in all rounds."""
    found: dict[str, set[float]] = {}
    for each in rounds:
        for digest, psnr_db in each["psnr_by_digest"].items():
            found.setdefault(digest, set()).add(psnr_db)
    return [digest for digest, values in found.items() if len(values) > 1]


def table(rounds: list[dict[str, Any]]) -> str:
    """One line a storage, and how often each fault was tried."""
    lines = [
        "| storage | rounds | faults | restarts | said complete | stored complete | problems |",
        "|---|---|---|---|---|---|---|",
    ]
    for storage in ("postgresql", "sqlite"):
        mine = [r for r in rounds if r["storage"] == storage]
        faults = Counter(fault for r in mine for fault in r["faults"])
        shown = ", ".join(f"{fault} {count}" for fault, count in sorted(faults.items()))
        sums = [sum(r[k] for r in mine) for k in ("restarts", "said_complete", "complete")]
        problems = sum(len(r["problems"]) for r in mine)
        cells = [storage, len(mine), shown, *sums, problems]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines.append(f"Architectures with several PSNRs: {len(several_psnrs(rounds))}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

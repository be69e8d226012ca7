"""Syne Tune's algorithms on real training: `real_searches.py answer` trains what they ask for.

    python benchmarks/peers/on_real_training.py FOLDER --lensnas .venv/bin/python --repetitions 2

Runs in Syne Tune's environment and starts the other script in LensNAS' own, one trial at a time.
Studies are appended to FOLDER/peers.jsonl, which `real_searches.py compare` reads. As in our
studies, what may not be trained or was trained before costs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lookup import MOST_ASKED, FinishedError, made_of
from with_syne_tune import METHODS

NAMES = ("Syne Tune REA", "Syne Tune CQR")
REFUSED_DB = 20.0
"""What an algorithm is told of a network that may not be trained, below all that are."""
SCRIPT = Path(__file__).parent.parent / "real_searches.py"


class Study:
    """One study: as `lookup.Study`, for methods that train every trial in full."""

    def __init__(self, trainer: subprocess.Popen[str], trials: int) -> None:
        self._trainer, self.trials = trainer, trials
        self._every_choice = self._answer()
        self.choices = {name: values for name, values, _ in self._every_choice if len(values) > 1}
        self._known: dict[str, tuple[float, float]] = {}
        self._asked, self._spent_s = 0, 0.0
        self.results: list[list[float]] = []

    def _answer(self) -> Any:
        assert self._trainer.stdout is not None
        return json.loads(self._trainer.stdout.readline())

    def psnr_and_runtime(self, config: Mapping[str, Any]) -> tuple[float, float]:
        """Train in full: PSNR in dB, and the run time in ms. Raises FinishedError."""
        key = json.dumps(made_of(self._every_choice, config), sort_keys=True)
        self._asked += 1
        if key not in self._known:
            self._known[key] = self._trained(key)
        if len(self.results) >= self.trials or self._asked >= MOST_ASKED:
            raise FinishedError
        return self._known[key]

    def _trained(self, choices: str) -> tuple[float, float]:
        assert self._trainer.stdin is not None
        print(choices, file=self._trainer.stdin, flush=True)
        psnr_db, runtime_ms, cpu_s = self._answer()
        if psnr_db is None:
            return REFUSED_DB, runtime_ms or 100.0
        self._spent_s += cpu_s
        self.results.append([psnr_db, runtime_ms, round(self._spent_s, 2)])
        return psnr_db, runtime_ms


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lensnas", default="python", help="the Python that has LensNAS")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    options = parser.parse_args()
    file = options.folder / "peers.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    done = {tuple(json.loads(line)[:3]) for line in lines}
    for repetition in range(options.repetitions):
        for name in NAMES:
            if (name, "score", repetition) not in done:
                results = _searched(options, name, repetition)
                with file.open("a") as out:
                    out.write(json.dumps([name, "score", repetition, results]) + "\n")


def _searched(options: argparse.Namespace, name: str, repetition: int) -> list[list[float]]:
    command = [options.lensnas, str(SCRIPT), "answer", str(options.folder)]
    with subprocess.Popen(
        [*command, "--repetition", str(repetition)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as trainer:  # fmt: skip
        study = Study(trainer, options.trials)
        with contextlib.suppress(FinishedError):
            METHODS[name, "score"](study, repetition)  # type: ignore[arg-type]
        assert trainer.stdin is not None
        trainer.stdin.close()
    return study.results


if __name__ == "__main__":
    main()

"""The tabular benchmark for other packages' algorithms, each in an environment of its own.

Nothing but the standard library is needed. A peer's script defines methods, functions of
(study, generator seed), and hands them to `main`:

    python benchmarks/peers/with_syne_tune.py lookup.json runs.jsonl --repetitions 20

`lookup.json` is written by `search_efficiency.py lookup`, which compares the results, too. What
makes no difference to an architecture (the second level's width of a network of one) is ignored,
and asking again for an architecture that was trained costs nothing, as in our own studies.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

MOST_ASKED = 5000
"""Proposals of a study, repeated ones included, after which a method is given up."""


Choices = Sequence[tuple[str, list[Any], Mapping[str, list[Any]]]]
"""Of a space: name, values, and the values of other choices with which there is such a choice."""


class FinishedError(BaseException):
    """The study has all its trials. No Exception: tuners take those for a failed training."""


class Study:
    """One study of a method: it asks for PSNR and run time and is charged for each training."""

    def __init__(self, document: Mapping[str, Any], seed: int, trials: int) -> None:
        self._every_choice = document["choices"]
        self.choices: dict[str, list[Any]] = {
            name: values for name, values, _ in self._every_choice if len(values) > 1
        }
        self.trials = trials
        self._seed = seed % len(document["seeds"])
        self._known = {
            json.dumps(entry["choices"], sort_keys=True): entry
            for entry in document["architectures"]
        }
        self._trained: set[str] = set()
        self._asked = 0
        self._spent_s = 0.0
        self._began_s = time.process_time()
        self.results: list[list[float | None]] = []

    def entry(self, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The architecture of a configuration, which may hold more than the architecture has."""
        key = json.dumps(made_of(self._every_choice, config), sort_keys=True)
        return key, self._known[key]

    def psnr_and_runtime(self, config: Mapping[str, Any]) -> tuple[float, float]:
        """Train in full: PSNR in dB, and the run time in ms. Raises FinishedError."""
        *_, (_, psnr_db) = self.curve(config)
        self.finish(config, psnr_db)
        return psnr_db, self.runtime_ms(config)

    def curve(self, config: Mapping[str, Any]) -> list[tuple[int, float]]:
        """(step, PSNR in dB) at every rung, the last one that of the whole training."""
        return [tuple(point) for point in self.entry(config)[1]["runs"][self._seed]["curve"]]

    def runtime_ms(self, config: Mapping[str, Any]) -> float:
        """Predicted; free of charge."""
        return float(self.entry(config)[1]["runtime_ms"])

    def finish(
        self, config: Mapping[str, Any], psnr_db: float | None, step: int | None = None
    ) -> None:
        """Charge for a training, whole or until the rung `step`. Raises FinishedError."""
        key, entry = self.entry(config)
        run = entry["runs"][self._seed]
        self._asked += 1
        if key not in self._trained:
            self._trained.add(key)
            self._spent_s += run["seconds"][str(step or run["curve"][-1][0])]
            cpu_s = self._spent_s + time.process_time() - self._began_s
            self.results.append([psnr_db, round(entry["runtime_ms"], 4), round(cpu_s, 2)])
        if len(self.results) >= self.trials or self._asked >= MOST_ASKED:
            raise FinishedError


def made_of(every_choice: Choices, config: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of an architecture: those of a configuration that there are."""
    made: dict[str, Any] = {}
    for name, values, when in every_choice:
        if all(made.get(other) in allowed for other, allowed in when.items()):
            made[name] = config.get(name, values[0])
    return made


def score(psnr_db: float, runtime_ms: float) -> float:
    """log2 of the challenge score, up to its constant."""
    return 2 * psnr_db - math.log2(runtime_ms)


Method = Callable[[Study, int], None]
"""(study, seed): asks the study until it raises FinishedError."""


def main(methods: Mapping[tuple[str, str], Method]) -> None:
    """Run `methods`, by (name, objective), and append a line for each repetition."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lookup", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    options = parser.parse_args()
    document = json.loads(options.lookup.read_text())
    lines = options.file.read_text().splitlines() if options.file.exists() else []
    done = {tuple(json.loads(line)[:3]) for line in lines}
    for (name, objective), method in methods.items():
        for repetition in range(options.repetitions):
            if (name, objective, repetition) in done:
                continue
            study = Study(document, repetition, options.trials)
            with contextlib.suppress(FinishedError):
                method(study, repetition)
            with options.file.open("a") as file:
                file.write(json.dumps([name, objective, repetition, study.results]) + "\n")

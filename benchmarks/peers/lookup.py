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
from contextlib import AbstractContextManager
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

    def __init__(self, every_choice: Choices, trials: int) -> None:
        self._every_choice = every_choice
        self.choices = {name: values for name, values, _ in every_choice if len(values) > 1}
        self.trials = trials
        self.results: list[list[float | None]] = []
        self._spent_s = 0.0
        self._asked = 0

    def key(self, config: Mapping[str, Any]) -> str:
        """The architecture of a configuration, which may hold more than the architecture has."""
        return json.dumps(self.made(config), sort_keys=True)

    def made(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The choices of an architecture: those of a configuration that there are."""
        made: dict[str, Any] = {}
        for name, values, when in self._every_choice:
            if all(made.get(other) in allowed for other, allowed in when.items()):
                made[name] = config.get(name, values[0])
        return made

    def psnr_and_runtime(self, config: Mapping[str, Any]) -> tuple[float, float]:
        """Train in full: PSNR in dB, and the run time in ms. Raises FinishedError."""
        raise NotImplementedError

    def runtime_ms(self, config: Mapping[str, Any]) -> float:
        """Predicted; free of charge."""
        raise NotImplementedError

    def _asked_again(self) -> None:
        """Count a question. Raises FinishedError after the last one of a study."""
        self._asked += 1
        if len(self.results) >= self.trials or self._asked >= MOST_ASKED:
            raise FinishedError


class TableStudy(Study):
    """Of the tabular benchmark."""

    def __init__(self, document: Mapping[str, Any], seed: int, trials: int) -> None:
        super().__init__(document["choices"], trials)
        self._seed = seed % len(document["seeds"])
        self._known = {
            json.dumps(entry["choices"], sort_keys=True): entry
            for entry in document["architectures"]
        }
        self._trained: set[str] = set()
        self._began_s = time.process_time()

    def psnr_and_runtime(self, config: Mapping[str, Any]) -> tuple[float, float]:
        """As the table has it."""
        *_, (_, psnr_db) = self.curve(config)
        self.finish(config, psnr_db)
        return psnr_db, self.runtime_ms(config)

    def curve(self, config: Mapping[str, Any]) -> list[tuple[int, float]]:
        """(step, PSNR in dB) at every rung, the last one that of the whole training."""
        run = self._known[self.key(config)]["runs"][self._seed]
        return [tuple(point) for point in run["curve"]]

    def runtime_ms(self, config: Mapping[str, Any]) -> float:
        """As the table has it."""
        return float(self._known[self.key(config)]["runtime_ms"])

    def finish(
        self, config: Mapping[str, Any], psnr_db: float | None, step: int | None = None
    ) -> None:
        """Charge for a training, whole or until the rung `step`. Raises FinishedError."""
        key = self.key(config)
        if key not in self._trained:
            entry = self._known[key]
            run = entry["runs"][self._seed]
            self._trained.add(key)
            self._spent_s += run["seconds"][str(step or run["curve"][-1][0])]
            cpu_s = self._spent_s + time.process_time() - self._began_s
            self.results.append([psnr_db, round(entry["runtime_ms"], 4), round(cpu_s, 2)])
        self._asked_again()


def score(psnr_db: float, runtime_ms: float) -> float:
    """log2 of the challenge score, up to its constant."""
    return 2 * psnr_db - math.log2(runtime_ms)


Method = Callable[[Any, int], None]
"""(study, seed): asks the study, some a `TableStudy` alone, until it raises FinishedError."""

Methods = Mapping[tuple[str, str], Method]
"""By (name, objective)."""


def main(methods: Methods) -> None:
    """Run `methods` on the table that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lookup", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    options = parser.parse_args()
    document = json.loads(options.lookup.read_text())

    def table(repetition: int) -> AbstractContextManager[TableStudy]:
        return contextlib.nullcontext(TableStudy(document, repetition, options.trials))

    run_all(methods, table, options.repetitions, options.file)


def run_all(
    methods: Methods,
    made: Callable[[int], AbstractContextManager[Study]],
    repetitions: int,
    file: Path,
) -> None:
    """Run each method's studies, made for a repetition, and append a line for each; what stands
    in the file is not run again."""
    lines = file.read_text().splitlines() if file.exists() else []
    done = {tuple(json.loads(line)[:3]) for line in lines}
    for repetition in range(repetitions):
        for (name, objective), method in methods.items():
            if (name, objective, repetition) in done:
                continue
            with made(repetition) as study, contextlib.suppress(FinishedError):
                method(study, repetition)
            with file.open("a") as out:
                out.write(json.dumps([name, objective, repetition, study.results]) + "\n")

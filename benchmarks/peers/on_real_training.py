"""Other packages' algorithms on real training: `real_searches.py answer` trains what they ask for.

    python benchmarks/peers/on_real_training.py FOLDER with_syne_tune --lensnas .venv/bin/python

Runs in the package's environment and starts the other script in LensNAS' own, one trial at a time.
Studies are appended to FOLDER/peers.jsonl, which `real_searches.py compare` reads. As in our
studies, what may not be trained or was trained before costs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from lookup import Study, run_all

PEERS = {
    "with_syne_tune": ("Syne Tune REA", "Syne Tune CQR", "Syne Tune MO-REA"),
    "with_keras_tuner": ("Keras Tuner Bayesian",),
    "with_archai": ("Archai evolution",),
}
"""Scripts, and of their methods those that train every trial in full and end in time."""
REFUSED_DB = 20.0
"""What an algorithm is told of a network that may not be trained, below all that are."""
UNKNOWN_MS = 100.0
"""What it is told of one whose run time is not known."""
SCRIPT = Path(__file__).parent.parent / "real_searches.py"


class RealStudy(Study):
    """A study whose trials `answer` trains; without learning curves."""

    def __init__(self, questions: IO[str], answers: IO[str], trials: int) -> None:
        super().__init__(json.loads(answers.readline()), trials)
        self._questions, self._answers = questions, answers
        self._outcomes: dict[str, tuple[float, float]] = {}

    def runtime_ms(self, config: Mapping[str, Any]) -> float:
        """Predicted; free of charge."""
        return self._answer("price", config) or UNKNOWN_MS

    def psnr_and_runtime(self, config: Mapping[str, Any]) -> tuple[float, float]:
        """Trained here."""
        key = self.key(config)
        if key not in self._outcomes:
            self._outcomes[key] = self._trained(config)
        self._asked_again()
        return self._outcomes[key]

    def _trained(self, config: Mapping[str, Any]) -> tuple[float, float]:
        psnr_db, runtime_ms, cpu_s = self._answer("train", config)
        if psnr_db is None:
            return REFUSED_DB, runtime_ms or UNKNOWN_MS
        self._spent_s += cpu_s
        self.results.append([psnr_db, runtime_ms, round(self._spent_s, 2)])
        return psnr_db, runtime_ms

    def _answer(self, question: str, config: Mapping[str, Any]) -> Any:
        print(json.dumps([question, self.made(config)]), file=self._questions, flush=True)
        return json.loads(self._answers.readline())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--methods", nargs="+", help="of the peer's")
    parser.add_argument("--lensnas", default="python", help="the Python that has LensNAS")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    options = parser.parse_args()
    wanted = options.methods or PEERS[options.peer]
    known = import_module(options.peer).METHODS
    methods = {named: method for named, method in known.items() if named[0] in wanted}

    @contextlib.contextmanager
    def trained(repetition: int) -> Iterator[Study]:
        command = [options.lensnas, str(SCRIPT), "answer", str(options.folder)]
        # Keras Tuner is run with a backend of its own, which is no good for training.
        env = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
        with subprocess.Popen(
            [*command, "--repetition", str(repetition)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        ) as trainer:  # fmt: skip
            assert trainer.stdin is not None
            assert trainer.stdout is not None
            yield RealStudy(trainer.stdin, trainer.stdout, options.trials)
            trainer.stdin.close()

    run_all(methods, trained, options.repetitions, options.folder / "peers.jsonl")


if __name__ == "__main__":
    main()

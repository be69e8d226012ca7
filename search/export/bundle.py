"""A bundle: the .tflite files of one trial, what was verified of them, and a model card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency import LatencyOracle, load_profile
from search.artifacts import write_bytes
from search.config import StudyConfig
from search.data.pairs import PairMeta, default_encoding, encoder_for, for_channels
from search.errors import UserError
from search.networks import candidate
from search.study.data import open_pairs, prepare_data
from search.study.results import StudyResults
from spaces.ops.keras_backend import Network

from .card import model_card
from .convert import convert
from .frame import full_frame
from .record import RECORD, file_name
from .source import PRECISIONS, Trained, known_precision, read_weights, trained_weights
from .verify import Verification, verify


class VerificationError(UserError):
    """A file that was made but is not what it must be."""


@dataclass(frozen=True)
class Bundle:
    """What `export_trial` wrote."""

    directory: Path
    config: StudyConfig
    data: PairMeta
    source: Trained
    verifications: tuple[Verification, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        sensor = self.data.sensor
        return {
            "directory": str(self.directory),
            "study": self.config.name,
            "task": self.config.task,
            "device": self.config.device,
            "architecture": json.loads(self.source.architecture.to_json()),
            "origin": self.source.origin,
            "dataset": self.data.dataset,
            "psnr_db": self.source.psnr_db,
            "encoding": self.config.training.encoding or default_encoding(sensor),
            "sensor": sensor.to_dict() if sensor else None,
            "files": [v.to_dict() for v in self.verifications],
        }

    def summary(self) -> str:
        """For the terminal: two lines a file, none wider than 80 columns."""
        lines = [f"Export of {self.source.origin} to {self.directory}:"]
        for v in self.verifications:
            verdict = "all on the GPU" if v.delegated else f"{len(v.fallbacks)} ops on the CPU"
            lines.append(
                f"  model_{v.precision}.tflite  {v.size_bytes / 1024:.1f} KiB, {verdict}, "
                f"predicted {v.predicted_ms:.2f} ms ({v.low_ms:.2f} to {v.high_ms:.2f})"
            )
            lines.append(
                f"    against Keras: largest error {v.max_error:.1e}, "
                f"PSNR {v.psnr_db - v.keras_psnr_db:+.4f} dB"
            )
            lines += [f"    FAILED: {failure}" for failure in v.failures]
        return "\n".join([*lines, "  model_card.md, verification.json"])


def export_trial(
    results: StudyResults,
    output: Path,
    *,
    trial: int | None = None,
    source: Trained | None = None,
    precisions: Sequence[str] = PRECISIONS,
    force: bool = False,
) -> Bundle:
    """Convert, verify and write one trial, by default the winner, or the weights of `source`.

    Raises UserError where there is nothing to export, VerificationError where a check fails
    without `force`; nothing is written then.
    """
    wanted = [known_precision(name) for name in precisions]
    config = results.config
    task = config.task_facts
    source = source or trained_weights(results, trial)
    network = candidate(source.architecture)
    held_out = for_channels(open_pairs(prepare_data(config), "val"), network.input_channels)
    encode = encoder_for(held_out.meta, config.training.encoding)
    model = Network(network.network, network.input_channels)
    model.set_weights(read_weights(source))
    frame, target = full_frame(held_out, encode, task)
    keras_output = model(frame, training=False).numpy()
    oracle = LatencyOracle(load_profile(config.device))
    traced = network.trace(*task.input_shape[:2])
    files: dict[str, bytes] = {}
    found: list[Verification] = []
    for precision in wanted:
        file = convert(model, (*task.input_shape[:2], network.input_channels), precision)
        found.append(verify(file, precision, frame, target, keras_output, traced, oracle))
        files[file_name(precision)] = file
    failures = [f"{v.precision}: {failure}" for v in found for failure in v.failures]
    if failures and not force:
        shown = "; ".join(failures[:3])
        raise VerificationError(f"export refused (--force writes it all the same): {shown}")
    bundle = Bundle(output, config, held_out.meta, source, tuple(found))
    files["model_card.md"] = model_card(results, source, found, held_out.meta).encode()
    files[RECORD] = json.dumps(bundle.to_dict(), indent=2).encode()
    for name, content in files.items():
        write_bytes(output / name, content)
    return bundle

"""The model card: what a user of the file must know, in Markdown."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence

from search.data.pairs import PairMeta, default_encoding
from search.study.results import StudyResults
from search.study.storage import document_of
from spaces.label import label

from .convert import INPUT, OUTPUT
from .source import Trained
from .verify import Verification

_PACKAGES = ("lensnas", "tensorflow", "keras", "ai-edge-litert", "optuna", "numpy")


def model_card(
    results: StudyResults, source: Trained, files: Sequence[Verification], data: PairMeta
) -> str:
    """The card of `files`, made of the weights of `source`; `data` is what they were tested on."""
    config, task = results.config, results.config.task_facts
    encoding = config.training.encoding or default_encoding(data.sensor)
    sections = [
        f"# {task.title}: {source.origin} of study {config.name}",
        f"Architecture `{label(source.architecture)}` ({source.architecture.digest}).",
        "## Input and output",
        f"- `{INPUT}`: float32 [1, {', '.join(map(str, task.input_shape))}]: {task.input_note}. "
        f"Encoding `{encoding}`{_encoding_note(encoding, data)}.",
        f"- `{OUTPUT}`: float32 [1, {', '.join(map(str, task.output_shape))}]: {task.output_note}.",
        "## Quality",
        f"- Data: {data.dataset}. **Not comparable with PSNR on the challenge's data.**",
        f"- {source.psnr_db:.2f} dB on the validation set after {source.steps} training steps "
        f"(seed {source.seed}).",
        *(f"- {name}: {value:.2f} dB" for name, value in data.baselines_psnr_db.items()),
        "## Files",
        "| file | size | max error against Keras | PSNR against Keras | GPU delegate | "
        f"predicted on {config.device} |",
        "|---|---|---|---|---|---|",
        *(
            f"| model_{v.precision}.tflite | {v.size_bytes / 1024:.1f} KiB | {v.max_error:.1e} | "
            f"{v.psnr_db - v.keras_psnr_db:+.4f} dB | "
            f"{'every op delegated' if v.delegated else '; '.join(v.fallbacks)} | "
            f"{v.predicted_ms:.2f} ms (90 %: {v.low_ms:.2f} to {v.high_ms:.2f}) |"
            for v in files
        ),
        *(
            f"**Failed check** of model_{v.precision}.tflite: {failure}"
            for v in files
            for failure in v.failures
        ),
        "Run times are predictions of the latency oracle, not measurements.",
        "## Use",
        "```python\n"
        "from ai_edge_litert.interpreter import Interpreter\n\n"
        f'runner = Interpreter("model_fp32.tflite").get_signature_runner()\n'
        f"rgb = runner({INPUT}=frame)[{OUTPUT!r}].clip(0, 1)\n"
        "```",
        "## Made with",
        ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES),
        "## Study",
        "```json\n" + json.dumps(document_of(config), indent=2) + "\n```",
        "## Architecture",
        "```json\n" + source.architecture.to_json() + "\n```",
    ]
    return "\n\n".join(sections).replace("|\n\n|", "|\n|").replace("\n\n- ", "\n- ") + "\n"


def _encoding_note(encoding: str, data: PairMeta) -> str:
    sensor = data.sensor
    if sensor is None:
        return ""
    if encoding == "linear":
        return " (raw / (4 * 255))"
    return (
        f" (sqrt(max(0, gain * (raw - {sensor.black_level}) / "
        f"({sensor.white_level} - {sensor.black_level}))), gains R, G, B = {sensor.gains})"
    )

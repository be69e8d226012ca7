"""The model card: what a user of the file must know, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from latency.graph import Shape
from search.config import StudyConfig
from search.data.pairs import PairMeta, default_encoding
from search.export.conversion.metadata import About
from search.export.conversion.signature import INPUT, OUTPUT
from search.export.provenance import made_with, study_settings
from search.export.source import Trained
from search.export.verification.verify import Verification, signed
from spaces.label import label


def model_card(
    config: StudyConfig, source: Trained, files: Sequence[Verification], data: PairMeta
) -> str:
    """The card of `files`, made of the weights of `source`; `data` is what they were tested on."""
    task = config.task_facts
    encoding = config.training.encoding or default_encoding(data.sensor)
    note = _encoding_note(encoding, data)
    sections = [
        f"# {task.title}: {source.origin} of study {config.name}",
        f"Architecture `{label(source.architecture)}` ({source.architecture.digest}).",
        "## Input and output",
        f"- `{INPUT}`: float32 {_shapes(v.variant.input_shape for v in files)}: {task.input_note}. "
        f"Encoding `{encoding}`{f' ({note})' if note else ''}.",
        f"- `{OUTPUT}`: float32 {_shapes(v.output_shape[1:] for v in files)}: {task.output_note}.",
        "## Quality",
        f"- Data: {data.dataset}. **Not comparable with PSNR on the challenge's data.**",
        f"- {source.psnr_db:.2f} dB on the validation set after {source.steps} training steps "
        f"(seed {source.seed}).",
        *(f"- {name}: {value:.2f} dB" for name, value in data.baselines_psnr_db.items()),
        "## Files",
        "| file | size | max error against Keras | PSNR lost against Keras | GPU delegate | "
        f"predicted on {config.device} |",
        "|---|---|---|---|---|---|",
        *(
            f"| {v.variant.file_name} | {v.size_bytes / 1024:.1f} KiB | {v.max_error:.1e} | "
            f"{signed(v.loss_db)} dB | "
            f"{'every op delegated' if v.delegated else '; '.join(v.fallbacks)} | "
            f"{v.predicted_ms:.2f} ms (90 %: {v.low_ms:.2f} to {v.high_ms:.2f}) |"
            for v in files
        ),
        *(
            f"**Failed check** of {v.variant.file_name}: {failure}"
            for v in files
            for failure in v.failures
        ),
        "Run times are predictions of the latency oracle, not measurements. "
        "What was checked and how stands in report.md and, with pictures, in report.html.",
        "## Use",
        "```python\n"
        "from ai_edge_litert.interpreter import Interpreter\n\n"
        f'runner = Interpreter("{files[0].variant.file_name}").get_signature_runner()\n'
        f"rgb = runner({INPUT}=frame)[{OUTPUT!r}]\n"
        "```",
        "## Made with",
        ", ".join(f"{name} {version}" for name, version in made_with().items()),
        "## Study",
        "```json\n" + json.dumps(study_settings(config), indent=2) + "\n```",
        "## Architecture",
        "```json\n" + source.architecture.to_json() + "\n```",
    ]
    return "\n\n".join(sections).replace("|\n\n|", "|\n|").replace("\n\n- ", "\n- ") + "\n"


def about(config: StudyConfig, source: Trained, *, held_out: PairMeta) -> About:
    """The same in short, for the files themselves; `held_out`: the data it was tested on."""
    task = config.task_facts
    encoding = config.training.encoding or default_encoding(held_out.sensor)
    return About(
        name=f"{config.name}, {source.origin}",
        version=source.architecture.digest,
        input_note=f"{task.input_note}: {_encoding_note(encoding, held_out) or encoding}",
        output_note=task.output_note,
    )


def _shapes(shapes: Iterable[Shape]) -> str:
    """Of tensors, each once; `shapes`: without the batch."""
    return " or ".join(f"[1, {', '.join(map(str, shape))}]" for shape in dict.fromkeys(shapes))


def _encoding_note(encoding: str, data: PairMeta) -> str:
    """How a RAW value becomes the input's; nothing to say of pictures."""
    sensor = data.sensor
    if sensor is None:
        return ""
    if encoding == "linear":
        return "raw / (4 * 255)"
    return (
        f"sqrt(max(0, gain * (raw - {sensor.black_level}) / "
        f"{sensor.white_level - sensor.black_level})), gains R, G, B = {sensor.gains}"
    )

"""A bundle: the .tflite files of one trial, what was verified of them, and how to make it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from search.artifacts import save_weights, write_bytes
from search.config import StudyConfig
from search.data.pairs import PairMeta, default_encoding
from search.errors import UserError
from search.study.results import StudyResults

from .conversion.convert import convert_all
from .conversion.metadata import encoded
from .conversion.quantise import quantised_networks
from .placing import put_in_place, workplace
from .provenance import STUDY, made_with, study_file
from .record import FORMAT, PICTURES, RECORD
from .report.card import about, model_card
from .report.contents import REPORT_HTML, REPORT_MD, make_report
from .report.pictures import Strip, strips
from .report.text import as_html, as_markdown
from .source import Trained, read_weights, trained_weights
from .trained_model import TrainedModel, open_model
from .variant import (
    DEFAULT_FRAMES,
    DEFAULT_PRECISIONS,
    DEFAULT_QUANTISATION,
    Quantisation,
    known_precision,
    variants,
)
from .verification.check import make_check
from .verification.checker import Checker, images_verified_on
from .verification.frame import content_sha256
from .verification.verify import Verification, against_fp32, signed

CARD = "model_card.md"


class VerificationError(UserError):
    """A file that was made but is not what it must be."""


@dataclass(frozen=True)
class Bundle:
    """What `export_trial` wrote. `origins`: versions, digests and how it was trained."""

    directory: Path
    config: StudyConfig
    data: PairMeta
    source: Trained
    verifications: tuple[Verification, ...]
    origins: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: where it lies, and its record."""
        return {"directory": str(self.directory), **self.record()}

    def record(self) -> dict[str, Any]:
        """What the bundle says of itself."""
        sensor = self.data.sensor
        return {
            "format": FORMAT,
            "study": self.config.name,
            "task": self.config.task,
            "device": self.config.device,
            "architecture": json.loads(self.source.architecture.to_json()),
            "origin": self.source.origin,
            "dataset": self.data.dataset,
            "psnr_db": self.source.psnr_db,
            "encoding": self.config.training.encoding or default_encoding(sensor),
            "sensor": sensor.to_dict() if sensor else None,
            **self.origins,
            "files": [v.to_dict() for v in self.verifications],
        }

    @property
    def failures(self) -> list[str]:
        """What keeps the bundle from being trusted."""
        return [f"{v.variant.label}: {why}" for v in self.verifications for why in v.failures]

    def summary(self) -> str:
        """For the terminal: some lines a file, none wider than 80 columns."""
        lines = [f"Export of {self.source.origin} to {self.directory}:"]
        for v in self.verifications:
            verdict = "all on the GPU" if v.delegated else f"{len(v.fallbacks)} ops on the CPU"
            lines += [
                f"  {v.variant.file_name}  {v.size_bytes / 1024:.1f} KiB, {verdict}",
                f"    predicted {v.predicted_ms:.2f} ms ({v.low_ms:.2f} to {v.high_ms:.2f})",
                f"    against Keras: largest error {v.max_error:.1e}, loss {signed(v.loss_db)} dB",
                f"    against the targets: PSNR {v.psnr_db:.2f} dB, SSIM {v.ssim:.4f}",
            ]
            lines += [f"    FAILED: {failure}" for failure in v.failures]
        return "\n".join([*lines, f"  {REPORT_HTML}, {REPORT_MD}, {CARD}, {RECORD}"])


def export_trial(
    results: StudyResults,
    output: Path,
    *,
    trial: int | None = None,
    source: Trained | None = None,
    precisions: Sequence[str] = DEFAULT_PRECISIONS,
    sizes: Sequence[tuple[int, int]] = (),
    images: int = DEFAULT_FRAMES,
    force: bool = False,
    quantisation: Quantisation = DEFAULT_QUANTISATION,
) -> Bundle:
    """Convert, verify and write one trial, by default the winner, or the weights of `source`.

    `sizes`: (H, W) of the inputs of files; without any, the task's own. `images`: full frames to
    verify each file on, at most. `quantisation`: how 8-bit files are made.

    Raises UserError where there is nothing to export, VerificationError where a check fails
    without `force`; nothing is written then.
    """
    wanted = [known_precision(name) for name in precisions]
    source = source or trained_weights(results, trial)
    weights = read_weights(source)
    trained = open_model(results.config, source, weights)
    chosen = variants(wanted, trained.own_shape, sizes)
    with workplace(output) as work:
        made, frames = work / "bundle", work / "frames"
        made.mkdir(mode=0o755)
        check = make_check(
            trained.model, trained.held_out, trained.encode, results.config.task_facts.scale,
            list(dict.fromkeys(v.input_shape[:2] for v in chosen)),
        )  # fmt: skip
        checker = Checker(trained, check, images, frames)
        quantised = quantised_networks(trained.model, results.config, wanted, quantisation)
        metadata = encoded(about(results.config, source, held_out=trained.held_out.meta))
        verified = []
        for variant, file in convert_all(trained.model, chosen, quantised, metadata):
            verified.append(checker.verified(variant, file))
            write_bytes(made / variant.file_name, file)
        found = against_fp32(verified)
        origins = origins_of(source, trained, found, save_weights(made, weights))
        if quantised:
            origins["quantisation"] = asdict(quantisation)
        check.write(made)
        bundle = Bundle(output, results.config, trained.held_out.meta, source, found, origins)
        if bundle.failures and not force:
            shown = "; ".join(bundle.failures[:3])
            raise VerificationError(f"export refused (--force writes it all the same): {shown}")
        bundle = finished(made, bundle, pictures_of(checker, found))
        put_in_place(made, output)
    return bundle


def pictures_of(checker: Checker, found: Sequence[Verification]) -> tuple[Strip, ...]:
    """Of the files of the first resolution."""
    shape = found[0].variant.input_shape
    alike = [one.variant for one in found if one.variant.input_shape == shape]
    return strips(checker.references(shape), alike)


def origins_of(
    source: Trained,
    trained: TrainedModel,
    found: Sequence[Verification],
    weights_sha256: str,
) -> dict[str, Any]:
    """Versions, digests and the training of a bundle, for its record."""
    indices = images_verified_on(trained, found)
    return {
        "training": {
            "steps": source.steps,
            "seed": source.seed,
            "recipe": trained.config.training.model_dump(mode="json"),
        },
        "weights_sha256": weights_sha256,
        "data": {
            "dataset": trained.held_out.meta.dataset,
            "images": len(indices),
            "sha256": content_sha256(trained.held_out, indices),
        },
        "made_with": made_with(),
    }


def finished(made: Path, bundle: Bundle, pictures: tuple[Strip, ...]) -> Bundle:
    """Write reports and record into the folder `made`, which has the rest; the bundle with its
    files listed."""
    origins = dict(bundle.origins)
    report = make_report(bundle.config, bundle.source, bundle.verifications, pictures, origins)
    card = model_card(bundle.config, bundle.source, bundle.verifications, bundle.data)
    files = {
        CARD: card.encode(),
        STUDY: study_file(bundle.config),
        REPORT_MD: as_markdown(report).encode(),
        REPORT_HTML: as_html(report).encode(),
        **{f"{PICTURES}/{p.name}": p.jpeg for strip in pictures for p in strip.pictures},
    }
    for name, content in files.items():
        write_bytes(made / name, content)
    known = {v.variant.file_name for v in bundle.verifications}
    paths = sorted(path for path in made.rglob("*") if path.is_file() and path.name not in known)
    origins["contents"] = {
        path.relative_to(made).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }
    bundle = replace(bundle, origins=origins)
    write_bytes(made / RECORD, json.dumps(bundle.record(), indent=2).encode())
    return bundle

"""A bundle: the .tflite files of one trial, what was verified of them, and how to make it again."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from latency import LatencyOracle, load_profile
from search.artifacts import save_weights, write_bytes
from search.config import StudyConfig
from search.data.pairs import (
    Encoder,
    PairMeta,
    PairSource,
    default_encoding,
    encoder_for,
    for_channels,
)
from search.errors import UserError
from search.networks import Candidate, candidate
from search.study.data import open_pairs, prepare_data
from search.study.results import StudyResults
from search.tasks.task import ImageShape, Task
from spaces.ops.keras_backend import Network

from .conversion.convert import convert_all
from .conversion.metadata import encoded
from .conversion.quantise import quantised_networks
from .placing import put_in_place
from .provenance import STUDY, made_with, study_file
from .record import FORMAT, PICTURES, RECORD
from .report.card import about, model_card
from .report.contents import REPORT_HTML, REPORT_MD, make_report
from .report.pictures import Strip, strips
from .report.text import as_html, as_markdown
from .source import Trained, read_weights, trained_weights
from .variant import (
    DEFAULT_PRECISIONS,
    DEFAULT_QUANTISATION,
    Quantisation,
    Variant,
    known_precision,
    variants,
)
from .verification.check import CheckPicture, make_check
from .verification.frame import content_sha256, images_of
from .verification.reference import References, make_references
from .verification.verify import Verification, signed, verify

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


@dataclass(frozen=True)
class Subject:
    """A trained network with what it is verified on. `encode`: of the images of `held_out`."""

    config: StudyConfig
    network: Candidate
    model: Network
    held_out: PairSource
    encode: Encoder

    @property
    def own_shape(self) -> ImageShape:
        """Of its input at the task's resolution."""
        return (*self.config.task_facts.input_shape[:2], self.network.input_channels)

    def at(self, shape: ImageShape) -> Task:
        """The task at another resolution."""
        task = self.config.task_facts
        height, width = (task.scale * side for side in shape[:2])
        return replace(task, input_shape=shape, output_shape=(height, width, 3))


def export_trial(
    results: StudyResults,
    output: Path,
    *,
    trial: int | None = None,
    source: Trained | None = None,
    precisions: Sequence[str] = DEFAULT_PRECISIONS,
    sizes: Sequence[tuple[int, int]] = (),
    images: int = 2,
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
    subject = open_subject(results.config, source, weights)
    chosen = variants(wanted, subject.own_shape, sizes)
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the output, for that is a disk with room, and moving there is renaming.
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as work:
        made, frames = Path(work) / "bundle", Path(work) / "frames"
        made.mkdir(mode=0o755)
        check = make_check(
            subject.model, subject.held_out, subject.encode, results.config.task_facts.scale,
            list(dict.fromkeys(v.input_shape[:2] for v in chosen)),
        )  # fmt: skip
        checker = Checker(subject, check, images, frames)
        found = []
        quantised = quantised_networks(subject.model, results.config, wanted, quantisation)
        metadata = encoded(about(results.config, source, held_out=subject.held_out.meta))
        for variant, file in convert_all(subject.model, chosen, quantised, metadata):
            found.append(checker.verified(variant, file))
            write_bytes(made / variant.file_name, file)
        origins = origins_of(source, subject, found, save_weights(made, weights))
        if quantised:
            origins["quantisation"] = asdict(quantisation)
        check.write(made)
        bundle = Bundle(
            output, results.config, subject.held_out.meta, source, tuple(found), origins
        )
        if bundle.failures and not force:
            shown = "; ".join(bundle.failures[:3])
            raise VerificationError(f"export refused (--force writes it all the same): {shown}")
        bundle = finished(made, bundle, checker.strips(found))
        put_in_place(made, output)
    return bundle


def open_subject(config: StudyConfig, source: Trained, weights: Sequence[Any]) -> Subject:
    """The network of `source` with its `weights` and the validation part of the study's data."""
    network = candidate(source.architecture).clipped
    held_out = for_channels(open_pairs(prepare_data(config), "val"), network.input_channels)
    model = Network(network.network, network.input_channels)
    model.set_weights(list(weights))
    encode = encoder_for(held_out.meta, config.training.encoding)
    return Subject(config, network, model, held_out, encode)


class Checker:
    """Verifies one file after the other; the frames of each resolution are made once."""

    def __init__(
        self, subject: Subject, check: CheckPicture | None, images: int, folder: Path
    ) -> None:
        self._subject, self._check, self._images = subject, check, images
        self._folder = folder
        self._oracle = LatencyOracle(load_profile(subject.config.device))
        self._references: dict[ImageShape, References] = {}
        self._fp32: dict[ImageShape, Verification] = {}

    def verified(self, variant: Variant, file: bytes) -> Verification:
        """What is found of `file`."""
        shape, subject = variant.input_shape, self._subject
        traced = subject.network.trace(*shape[:2])
        fp32 = self._fp32.get(shape)
        found = verify(variant, file, self._frames(shape), traced, self._oracle, fp32)
        if variant.precision == "fp32":
            self._fp32[shape] = found = replace(found, loss_to_fp32_db=0.0)
        if self._check is not None:
            found = replace(found, check=self._check.check(file, variant, subject.encode))
        return found

    def strips(self, found: Sequence[Verification]) -> tuple[Strip, ...]:
        """Pictures of the files of the first resolution."""
        shape = found[0].variant.input_shape
        alike = [one.variant for one in found if one.variant.input_shape == shape]
        return strips(self._references[shape], alike)

    def _frames(self, shape: ImageShape) -> References:
        if shape not in self._references:
            subject = self._subject
            folder = self._folder / f"{shape[0]}x{shape[1]}"
            self._references[shape] = make_references(
                subject.model, subject.held_out, subject.encode, subject.at(shape), self._images,
                folder,
            )  # fmt: skip
        return self._references[shape]


def origins_of(
    source: Trained,
    subject: Subject,
    found: Sequence[Verification],
    weights_sha256: str,
) -> dict[str, Any]:
    """Versions, digests and the training of a bundle, for its record."""
    indices = images_verified_on(subject, found)
    return {
        "training": {
            "steps": source.steps,
            "seed": source.seed,
            "recipe": subject.config.training.model_dump(mode="json"),
        },
        "weights_sha256": weights_sha256,
        "data": {
            "dataset": subject.held_out.meta.dataset,
            "images": len(indices),
            "sha256": content_sha256(subject.held_out, indices),
        },
        "made_with": made_with(),
    }


def images_verified_on(subject: Subject, found: Sequence[Verification]) -> list[int]:
    """The validation images in the frames of all resolutions, each once, in order."""
    return sorted(
        {
            index
            for one in found
            for number in range(one.images)
            for index in images_of(subject.held_out, subject.at(one.variant.input_shape), number)
        }
    )


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

"""What a bundle's report says: the same tables and pictures for Markdown and for HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.config import StudyConfig
from search.export.provenance import STUDY
from search.export.source import Trained
from search.export.verification.bounds import BOUNDS
from search.export.verification.verify import Verification, signed
from spaces.label import label

from .pictures import Strip

REPORT_MD, REPORT_HTML = "report.md", "report.html"


@dataclass(frozen=True)
class Table:
    """The first column heads its row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, then tables, then pictures."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    strips: tuple[Strip, ...] = ()


@dataclass(frozen=True)
class Report:
    """All of it. `facts`: what was verified. `passed`: whether every file kept its bounds."""

    title: str
    facts: tuple[tuple[str, str], ...]
    verdict: tuple[str, ...]
    passed: bool
    sections: tuple[Section, ...]


def make_report(
    config: StudyConfig,
    source: Trained,
    files: Sequence[Verification],
    strips: tuple[Strip, ...],
    origins: dict[str, Any],
) -> Report:
    """Of a bundle with these `files`. `origins`: its record's versions and digests."""
    failures = tuple(f"{f.variant.file_name}: {why}" for f in files for why in f.failures)
    passed = f"All checks of {_count(len(files), 'file')} passed."
    return Report(
        title=f"Verification: {source.origin} of study {config.name}",
        facts=_facts(config, source, files, origins),
        verdict=tuple(f"FAILED {failure}" for failure in failures) or (passed,),
        passed=not failures,
        sections=(
            Section("Files", tables=(_files(files),)),
            _quality(files),
            Section("Pictures", (_PICTURES,), strips=strips),
            _times(config, files),
            _delegation(files),
            _bounds(files),
            _rebuild(origins),
        ),
    )


_PICTURES = (
    "Cuts of the frames, with the PSNR of each cut alone. In the maps of errors and differences, "
    "black is none; a difference is amplified until the largest of its cut is brightest."
)


def _facts(
    config: StudyConfig, source: Trained, files: Sequence[Verification], origins: dict[str, Any]
) -> tuple[tuple[str, str], ...]:
    images = origins["data"]["images"]
    numbers = {_size(f): f.images for f in files}
    frames = [f"{_count(number, 'full frame')} of {size}" for size, number in numbers.items()]
    return (
        ("Task", config.task_facts.title),
        ("Network", f"{label(source.architecture)} ({source.architecture.digest})"),
        ("Trained", f"{source.steps} steps, seed {source.seed}: {source.psnr_db:.2f} dB"),
        ("Data", origins["data"]["dataset"]),
        (
            "Verified on",
            f"{', '.join(frames)}, of {_count(images, 'validation image')} that training never saw",
        ),
        ("Device", f"{config.device}, GPU; run times are predicted, not measured"),
    )


def _files(files: Sequence[Verification]) -> Table:
    return Table(
        "What lies in the bundle. Shapes are those of the tensors image and rgb, float32.",
        ("file", "image", "rgb", "KiB", "SHA-256"),
        tuple(
            (
                f.variant.file_name,
                _shape((1, *f.variant.input_shape)),
                _shape(f.output_shape),
                f"{f.size_bytes / 1024:.1f}",
                f.sha256,
            )
            for f in files
        ),
    )


def _quality(files: Sequence[Verification]) -> Section:
    rows = tuple(
        (
            f.variant.file_name,
            f"{f.max_error:.1e}",
            f"{f.mean_error:.1e}",
            f"{f.psnr_db:.4f}",
            f"{f.ssim:.5f}",
            signed(f.loss_db),
            "-" if f.loss_to_fp32_db is None else signed(f.loss_to_fp32_db),
            f"{BOUNDS[f.variant.precision].loss_db:g}",
            "yes" if f.finite else "NO",
            "FAILED" if f.failures else "passed",
        )
        for f in files
    )
    keras = tuple(
        f"Keras itself, in fp32 on frames of {size}: {f.keras_psnr_db:.4f} dB, "
        f"SSIM {f.keras_ssim:.5f}."
        for size, f in {_size(f): f for f in files}.items()
    )
    table = Table(
        "Every file run by LiteRT, on one frame after the other. Errors are against Keras, of "
        "values in [0, 1]; PSNR (dB) and SSIM against the targets; losses in dB of PSNR.",
        ("file", "largest error", "mean error", "PSNR", "SSIM", "loss to Keras",
         "loss to fp32 file", "loss allowed", "finite", "verdict"),
        rows,
    )  # fmt: skip
    return Section("Quality", keras, (table,))


def _times(config: StudyConfig, files: Sequence[Verification]) -> Section:
    rows = tuple(
        (
            f.variant.file_name,
            f"{f.predicted_ms:.2f}",
            f"{f.low_ms:.2f} to {f.high_ms:.2f}",
            str(f.kernels),
            "yes" if f.same_kernels else "no",
            str(sum(op.place != "CPU" for op in f.ops)),
            str(sum(op.place == "CPU" for op in f.ops)),
        )
        for f in files
    )
    names: dict[str, list[str]] = {}
    for f in files:
        for note in f.notes:
            names.setdefault(note, []).append(f.variant.file_name)
    notes = tuple(f"{', '.join(of)}: {note}." for note, of in names.items())
    table = Table(
        f"Run time on the GPU of {config.device} by the latency oracle, with the 90 % interval.",
        ("file", "ms", "90 %", "kernels", "kernels as searched", "ops on the GPU",
         "ops on the CPU"),
        rows,
    )  # fmt: skip
    return Section("Predicted run time", notes, (table,))


def _delegation(files: Sequence[Verification]) -> Section:
    """Files whose ops run alike share a table."""
    alike: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for f in files:
        alike.setdefault(_op_rows(f), []).append(f.variant.file_name)
    columns = ("op", "kind", "output", "where", "launches", "kernel", "why not the GPU")
    return Section(
        "Delegate check, op by op",
        (
            "What the TensorFlow Lite GPU delegate does with each op: a kernel of its own, fused "
            "into another op's, folded away, or left to the CPU.",
        ),
        tuple(Table(", ".join(names), columns, rows) for rows, names in alike.items()),
    )


def _op_rows(found: Verification) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            str(op.index),
            op.kind,
            _shape(op.output_shape),
            op.place,
            " ".join(map(str, op.kernels)) or "-",
            op.kernel or "-",
            op.why or "-",
        )
        for op in found.ops
    )


def _bounds(files: Sequence[Verification]) -> Section:
    rows = []
    for precision in dict.fromkeys(f.variant.precision for f in files):
        bound = BOUNDS[precision]
        largest = "-" if bound.max_error is None else f"{bound.max_error:g}"
        fails = "fails" if bound.for_gpu else "is told"
        rows.append((precision, f"{bound.loss_db:g}", largest, fails, bound.reason))
    table = Table(
        "What a file may lose against Keras in fp32 before its export is refused.",
        ("precision", "loss, dB", "largest error", "an op on the CPU", "because"),
        tuple(rows),
    )
    return Section("Bounds", tables=(table,))


def _rebuild(origins: dict[str, Any]) -> Section:
    data, training = origins["data"], origins["training"]
    quantised = origins.get("quantisation", {}).items()
    rows = (
        ("training", f"{training['steps']} steps, seed {training['seed']}"),
        *((f"8-bit files: {name}", str(value)) for name, value in quantised),
        ("weights.npz, SHA-256", origins["weights_sha256"]),
        ("data", data["dataset"]),
        ("validation images, SHA-256", data["sha256"]),
        *((name, version) for name, version in origins["made_with"].items()),
    )
    return Section(
        "To make it again",
        (
            f"{STUDY} is the study, recipe included; weights.npz the trained weights. "
            "lensnas export --verify BUNDLE checks the files again, anywhere; "
            "lensnas export STUDY --verify BUNDLE does so on the study's own data.",
        ),
        (Table("What it was made of.", ("what", "which"), rows),),
    )


def _size(found: Verification) -> str:
    """Of the picture, as `--resolution` has it: width x height."""
    height, width = found.output_shape[1:3]
    return f"{width}x{height}"


def _shape(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"

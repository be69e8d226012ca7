"""The archive that a challenge takes: model.tflite, its pictures, and what it scores by which
run time."""

from __future__ import annotations

import json
import stat
import statistics
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from latency.litert.process import ask
from latency.measurements.choice import of_one_method
from search.artifacts import write_atomically
from search.errors import UserError
from search.export.record import StoredBundle, StoredFile, graph_of, input_channels
from search.objective import score

MODEL, SCORE, RESULTS = "model.tflite", "score.txt", "results"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every entry: equal submissions are equal files."""


@dataclass(frozen=True)
class RunTime:
    """Of one inference, and where it comes from in the words of the score's text."""

    ms: float
    source: str


@dataclass(frozen=True)
class Submission:
    """What was written. `psnr_db`: mean over the pictures; None where there were no targets."""

    path: Path
    pictures: int
    dataset: str
    psnr_db: float | None
    run_time: RunTime
    text: str


def submit(
    bundle: StoredBundle,
    data: Path,
    output: Path,
    *,
    precision: str | None = None,
    device: str | None = None,
) -> Submission:
    """Run a bundle's file on the validation part of the data set at `data`, and pack a .zip.

    `data` may also be a folder of inputs alone. The run time is the bundle's measured one on a
    GPU, of `device` where there are several, else the predicted one.
    Raises UserError for a file that is not shaped as the challenge asks, and what cannot be read.
    """
    if output.suffix.lower() != ".zip":
        raise UserError(f"{output}: a submission's name ends in .zip")
    if output.is_dir():
        raise UserError(f"{output} is a folder: name a file")
    file = bundle.file(precision)
    content = bundle.content(file)
    _check_shape(bundle, file, content)
    run_time = _run_time(bundle, file, device)
    with tempfile.TemporaryDirectory(prefix="lensnas-") as folder:
        dataset, psnrs_db = _pictures(bundle, file, content, data, Path(folder))
        known = [value for value in psnrs_db.values() if value is not None]
        psnr_db = statistics.fmean(known) if known else None
        text = _text(bundle, file, dataset, len(psnrs_db), psnr_db, run_time)
        entries = {MODEL: content, SCORE: text.encode()}
        pictures = {f"{RESULTS}/{name}.png": Path(folder) / f"{name}.png" for name in psnrs_db}
        write_atomically(output, lambda target: _pack(target, entries, pictures))
    return Submission(output, len(psnrs_db), dataset, psnr_db, run_time, text)


def _check_shape(bundle: StoredBundle, file: StoredFile, content: bytes) -> None:
    graph = graph_of(content, bundle.path(file))
    task = bundle.task
    for name, wanted, tensors in (
        ("takes", task.input_shape[:2], graph.inputs),
        ("gives", task.output_shape, graph.outputs),
    ):
        found = [graph.tensors[tensor] for tensor in tensors]
        if len(found) != 1 or found[0].shape[1 : 1 + len(wanted)] != wanted:
            shapes = ", ".join("x".join(map(str, t.shape)) for t in found)
            raise UserError(
                f"{bundle.path(file)} {name} {shapes}, the challenge asks for "
                f"1x{'x'.join(map(str, wanted))}: export it at the task's resolution"
            )


def _run_time(bundle: StoredBundle, file: StoredFile, device: str | None) -> RunTime:
    found = [m for m in bundle.measurements() if m.sha256 == file.sha256 and m.accelerator == "gpu"]
    if not found and device is None:
        return RunTime(
            file.predicted_ms,
            f"predicted for {bundle.device}, not measured (90 %: {file.low_ms:.3g} to "
            f"{file.high_ms:.3g} ms)",
        )
    last = of_one_method(found, device)[-1]
    return RunTime(last.ms, f"measured on {last.device}, {last.accelerator}, {last.method}")


def _pictures(
    bundle: StoredBundle, file: StoredFile, content: bytes, data: Path, folder: Path
) -> tuple[str, dict[str, float | None]]:
    """The data set's name, and the PSNR of each picture that was written to `folder`."""
    model = folder / MODEL
    model.write_bytes(content)  # What runs is what was checked, and is packed.
    request = {
        "model": str(model),
        "data": str(data),
        "output": str(folder),
        "encoding": bundle.encoding,
        "sensor": bundle.sensor.to_dict() if bundle.sensor else None,
        "channels": input_channels(content, bundle.path(file)),
    }
    answer = ask(json.dumps(request), {}, None, "search.submission.pictures")
    if answer.values is None or answer.problem:
        raise UserError(f"cannot run on {data}: {answer.problem}")
    return str(answer.values["dataset"]), answer.values["psnrs_db"]


def _text(
    bundle: StoredBundle,
    file: StoredFile,
    dataset: str,
    pictures: int,
    psnr_db: float | None,
    run_time: RunTime,
) -> str:
    task = bundle.task
    lines = [
        _score_line(task.log2_c, psnr_db, run_time),
        "",
        f"run time {run_time.ms:.4g} ms: {run_time.source}",
    ]
    if psnr_db is not None:
        lines.append(
            f"PSNR {psnr_db:.4f} dB: mean over {pictures} pictures of 8 bits, {dataset}, "
            "validation part; not the challenge's hidden test set"
        )
    else:
        lines.append(f"PSNR unknown: {pictures} pictures, {dataset}")
    lines += [
        f"{MODEL}: {file.precision}, SHA-256 {file.sha256}",
        f"network: {bundle.origin} of study {bundle.study}, architecture "
        f"{bundle.architecture.digest}, {task.title}",
    ]
    return "\n".join(lines) + "\n"


def _score_line(log2_c: float, psnr_db: float | None, run_time: RunTime) -> str:
    formula = f"score = 2^(2 PSNR) / (2^{log2_c:g} x run time in ms)"
    if psnr_db is None:
        return f"{formula}: unknown without targets"
    return f"{formula} = {score(psnr_db, run_time.ms, log2_c):.5g}"


def _pack(target: IO[bytes], entries: dict[str, bytes], files: dict[str, Path]) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(_entry(name), content, zipfile.ZIP_DEFLATED)
        for name, path in files.items():  # Pictures are compressed already.
            archive.writestr(_entry(name), path.read_bytes())


def _entry(name: str) -> zipfile.ZipInfo:
    """Readable by all where it is unpacked; `zipfile` makes entries for their owner alone."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry

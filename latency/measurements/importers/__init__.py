"""Foreign formats of measurements; a module for each, registered in `IMPORTERS`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from latency.measurements.measurement import Measurement, MeasurementError

from . import ai_hub, benchmark_model, litert, op_profile, typed_csv
from .context import Context, Importer

IMPORTERS = {
    "ai-hub": Importer(ai_hub.recognises, ai_hub.read),
    "litert": Importer(litert.recognises, litert.read),
    "benchmark-model": Importer(benchmark_model.recognises, benchmark_model.read),
    "op-profile": Importer(op_profile.recognises, op_profile.read),
    "csv": Importer(typed_csv.recognises, typed_csv.read),
}
"""All formats by name. The first that recognises a file reads it: LiteRT's log also has the
lines of a benchmark_model log, which may in turn contain an op profile."""

MAX_BYTES = 64 << 20


def import_measurements(
    path: Path | str,
    format: str | None = None,
    *,
    device: str | None = None,
    accelerator: str | None = None,
) -> list[Measurement]:
    """The measurements in a file of any known format.

    `format`: a name of `IMPORTERS`; None to find out. `device`, `accelerator`:
    for files that do not say. A file that names no model is about the model it
    is named after. The date is that of the file's last change.

    Raises `MeasurementError` naming file and line, and `OSError` where the file
    cannot be opened.
    """
    path = Path(path)
    context = Context(path.stem, device, accelerator, _date(path))
    try:
        return read_text(_text(path), context, format)
    except MeasurementError as error:
        raise error.within(path) from error


def read_text(text: str, context: Context, format: str | None = None) -> list[Measurement]:
    """The measurements in a text; like `import_measurements`."""
    if format is not None and format not in IMPORTERS:
        raise MeasurementError(f"unknown format {format!r}; known: {', '.join(IMPORTERS)}")
    names = [format] if format else [n for n, it in IMPORTERS.items() if it.recognises(text)]
    if not names:
        raise MeasurementError(f"none of the known formats: {', '.join(IMPORTERS)}")
    return IMPORTERS[names[0]].read(text, context)


def join_profiles(measurements: list[Measurement]) -> list[Measurement]:
    """Kernel times of profiles without an end-to-end time go to the run they belong to.

    A profile and a run belong together where model, device and accelerator are
    equal and there is one of each; all others are returned as they are.
    """
    joined = list(measurements)
    for profile in measurements:
        if profile.statistic != "kernel_sum":
            continue
        runs = [
            m
            for m in joined
            if _subject(m) == _subject(profile) and m.statistic != "kernel_sum" and not m.kernels
        ]
        if len(runs) == 1:
            joined[joined.index(runs[0])] = replace(runs[0], kernels=profile.kernels)
            joined.remove(profile)
    return joined


def _subject(measurement: Measurement) -> tuple[str, str, str]:
    return measurement.model, measurement.device, measurement.accelerator


def _date(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()


def _text(path: Path) -> str:
    """The file's text; Windows' shells redirect output as UTF-16."""
    if path.stat().st_size > MAX_BYTES:
        raise MeasurementError(f"larger than {MAX_BYTES >> 20} MB, this is no measurement")
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")

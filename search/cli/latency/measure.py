"""`lensnas latency measure`: time networks on a phone, or on this machine."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.arguments import AsJson
from search.errors import UserError

from .app import app
from .records import print_measurements, recorded

if TYPE_CHECKING:
    from latency.measurements import Measurement
    from latency.measurements.adb import Phone
    from latency.measurements.settings import Settings

Measure = Callable[[Path], "Measurement"]


class Machine(StrEnum):
    """Where to measure."""

    ANDROID = "android"
    LOCAL = "local"


class Accelerator(StrEnum):
    """What to measure on."""

    GPU = "gpu"
    CPU = "cpu"


@app.command()
def measure(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL", help="A bundle, .tflite files, or folders of them."),
    ],
    on: Annotated[Machine, typer.Option("--on", help="A phone through adb, or this machine.")],
    device: Annotated[
        str | None, typer.Option(help="Name to record; default: the phone's own, 'this machine'.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="JSON Lines file to append to; default: the bundle's."),
    ] = None,
    accelerator: Annotated[
        Accelerator | None, typer.Option(help="Default: gpu on android, cpu on local.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each model.")] = 50,
    warmup: Annotated[int, typer.Option(min=0, help="Runs before them.")] = 10,
    serial: Annotated[str | None, typer.Option(help="Which phone, if several.")] = None,
    benchmark_model: Annotated[
        Path | None, typer.Option(help="Android build of benchmark_model.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=1, help="Seconds for one model, loading included.")
    ] = 300,
    pause: Annotated[
        float, typer.Option(min=0, help="Seconds between two models, for the phone to cool.")
    ] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Measure also what the output file has already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure run times; each is stored at once, so the same command goes on where it stopped.

    A bundle, a folder of 'lensnas export', keeps its run times itself; other models need --output.
    Its files at the task's resolution are measured; name another one to have that measured.
    Models that the output file has for this device and accelerator are left out
    (--again measures them anew). A model that fails is reported and the others
    go on; the exit code is then 1.
    """
    from dataclasses import asdict

    from latency.measurements import append_measurements
    from latency.measurements.settings import Settings
    from search.export.record import MEASUREMENTS

    where = accelerator or (Accelerator.GPU if on is Machine.ANDROID else Accelerator.CPU)
    settings = Settings(where.value, runs, warmup, time_limit)
    output = _output(models, output)
    target = _Target(on, serial, benchmark_model)
    device = device or target.name()
    todo, left_out = _todo(models, device, where.value, [] if again else recorded(output))
    made: list[Measurement] = []
    failures = 0
    if todo:
        run = target.measurer(device, settings)
        for number, path in enumerate(todo):
            time.sleep(pause if number else 0)
            measurement = _attempt(run, path)
            if measurement is None:
                failures += 1
                continue
            append_measurements(output, [measurement])
            made.append(measurement)
            if not as_json:
                print(f"{path.stem}: {measurement.ms:.3f} ms", flush=True)
    if as_json:
        print(json.dumps([asdict(measurement) for measurement in made], indent=2))
    else:
        print_measurements(made)
        print(_summary(len(made), left_out, failures, output))
        if output.name == MEASUREMENTS:
            print(f"Next: lensnas rescore STUDY {output.parent}")
    if failures:
        raise typer.Exit(1)


def _todo(
    models: list[Path], device: str, accelerator: str, done: list[Measurement]
) -> tuple[list[Path], int]:
    """The files not yet measured, and how many were."""
    from latency.measurements.files import file_sha256, model_files

    measured = {(m.sha256, m.device, m.accelerator) for m in done}
    files = model_files([file for path in models for file in _of_bundle(path)])
    todo = [path for path in files if (file_sha256(path), device, accelerator) not in measured]
    return todo, len(files) - len(todo)


def _of_bundle(path: Path) -> list[Path]:
    """The files of a bundle that are at its task's resolution; anything else as it is."""
    from search.export.record import is_bundle, read_bundle

    if not is_bundle(path):
        return [path]
    bundle = read_bundle(path)
    return sorted(bundle.path(file) for file in bundle.task_files)


class _Target:
    """Where to measure: a phone, connected when it is first needed, or this machine."""

    def __init__(self, on: Machine, serial: str | None, tool: Path | None) -> None:
        if on is Machine.LOCAL and (serial or tool):
            raise UserError("--serial and --benchmark-model are for --on android")
        self._on, self._serial, self._tool = on, serial, tool

    def name(self) -> str:
        """What to record where the user names no device."""
        return "this machine" if self._on is Machine.LOCAL else self._phone.model

    def measurer(self, device: str, settings: Settings) -> Measure:
        """A function that measures one file."""
        from latency.measurements import adb, local

        if self._on is Machine.LOCAL:
            return lambda path: local.measure(path, device, settings)
        phone = self._phone
        return lambda path: adb.measure(phone, path, device, settings)

    @cached_property
    def _phone(self) -> Phone:
        from latency.measurements import adb

        return adb.connect(benchmark_model=self._tool, serial=self._serial)


def _output(models: list[Path], output: Path | None) -> Path:
    """The file to append to; a bundle's own for a bundle, whose files are checked first."""
    from search.export.record import MEASUREMENTS, is_bundle, read_bundle

    missing = [path for path in models if not path.exists()]
    if missing:
        raise UserError(f"No such file or folder: {missing[0]}")
    bundles = [read_bundle(path) for path in models if is_bundle(path)]
    for bundle in bundles:
        for file in bundle.files.values():
            bundle.content(file)
    if output is not None:
        return output
    if len(models) == 1 and bundles:
        return models[0] / MEASUREMENTS
    raise UserError("name the file to append to (--output): only one bundle has one of its own")


def _attempt(run: Measure, path: Path) -> Measurement | None:
    """The measurement; None where this model failed, which is reported."""
    from latency.graph import GraphError
    from latency.measurements.adb import PhoneError

    try:
        return run(path)
    except PhoneError:
        raise
    except (GraphError, OSError) as error:
        print(f"failed: {path}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        return None


def _summary(made: int, left_out: int, failures: int, output: Path) -> str:
    parts = [f"{made} measured into {output}"]
    parts += [f"{left_out} there already (--again measures anew)"] if left_out else []
    parts += [f"{failures} failed"] if failures else []
    return ", ".join(parts)

"""Measuring on an Android phone: a conversation with adb and benchmark_model.

    phone = connect(benchmark_model=Path("android_aarch64_benchmark_model"))
    measure(phone, Path("net.tflite"), "Pixel 8", Settings())

Files go to the phone under names that hold their hash, so nothing stale is ever
timed and nothing is pushed twice.
"""

from __future__ import annotations

import shlex
import shutil
import struct
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NoReturn

from .files import file_sha256
from .importers.benchmark_model import read
from .importers.context import Context
from .measurement import KernelTime, Measurement, MeasurementError
from .settings import Settings

REMOTE_DIRECTORY = PurePosixPath("/data/local/tmp/lensnas")
INSTALLED_TOOL = PurePosixPath("/data/local/tmp/benchmark_model")
"""Where every tutorial pushes the tool; used when no local one is named."""
ABI_OF_MACHINE = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86"}
"""Android's name of the processor that an ELF file is for, by its e_machine."""
SHORT_SECONDS, PUSH_SECONDS = 60.0, 300.0
"""For questions, and for pushing a file; a phone that needs longer is stuck."""
Done = subprocess.CompletedProcess[str]
_SIGNALS = {9: "killed, the phone may be out of memory", 11: "ended by a crash"}


class PhoneError(MeasurementError):
    """The phone or adb is not ready: nothing can be measured until the user mends it."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A connected phone, as its maker calls the `model`, and the benchmark tool on it.

    `description` is for the record.
    """

    adb: str
    serial: str
    model: str
    abi: str
    tool: PurePosixPath
    tool_version: str
    description: str


def connect(*, benchmark_model: Path | None = None, serial: str | None = None) -> Phone:
    """The phone on the other end of adb, with the benchmark tool on it.

    `benchmark_model`: an Android build of the tool; None for one that is on the
    phone already. `serial`: which phone, needed where there are several.

    Raises `PhoneError` with what to do, and `OSError` where the tool cannot be read.
    """
    adb = shutil.which("adb")
    if adb is None:
        raise PhoneError("adb is not on PATH: install Android's platform-tools (Debian: adb)")
    serial = serial or _only_serial(adb)
    _check_state(adb, serial)
    abi = _shell(adb, serial, "getprop ro.product.cpu.abi").strip()
    model = _shell(adb, serial, "getprop ro.product.model").strip()
    release = _shell(adb, serial, "getprop ro.build.version.release").strip()
    if benchmark_model is None:
        tool, version = INSTALLED_TOOL, ""
        if _remote_size(adb, serial, tool) is None:
            raise PhoneError(
                "no benchmark_model on the phone: name an Android build of it "
                "(--benchmark-model PATH), see docs/measuring.md"
            )
    else:
        _check_abi(benchmark_model, abi)
        tool, digest = _push(adb, serial, benchmark_model)
        version = f"{benchmark_model.name} sha256 {digest[:16]}"
    _shell(adb, serial, f"chmod 755 {tool}")
    return Phone(adb, serial, model, abi, tool, version, f"{model}, Android {release}, {abi}")


def measure(phone: Phone, model: Path, device: str, settings: Settings) -> Measurement:
    """The run time of a .tflite file on the phone, with its kernels where the tool tells them.

    The tool runs twice, once for the time and once for the kernels, so that what
    profiling costs is not in the time. Where the second fails, a note says so.

    Raises `MeasurementError` where this model cannot be timed, `PhoneError` where
    none could, and `OSError` where the file cannot be read.
    """
    remote, digest = _push(phone.adb, phone.serial, model)
    command = [str(phone.tool), f"--graph={remote}", *_flags(settings)]
    context = Context(model.stem, device, settings.accelerator, _today())
    timed = _read(_run(phone, command, settings.time_limit_s), context)
    if timed.accelerator != settings.accelerator:
        raise MeasurementError(timed.notes[0])
    kernels, notes = _kernels(phone, command, settings, context)
    return replace(
        timed,
        model=model.stem,
        sha256=digest,
        method=f"benchmark_model {_use_gpu(settings)} through adb",
        tool_version=phone.tool_version,
        kernels=kernels,
        notes=(*timed.notes, *notes, f"phone: {phone.description}"),
    )


def _flags(settings: Settings) -> list[str]:
    """Options of benchmark_model: those under which apps such as AI Benchmark time a network.

    On the GPU that is fp16 arithmetic, also for a file of fp32 weights.
    """
    runs, warmup = f"--num_runs={settings.runs}", f"--warmup_runs={settings.warmup}"
    half = ["--gpu_precision_loss_allowed=true"] if settings.accelerator == "gpu" else []
    return [_use_gpu(settings), runs, warmup, *half]


def _use_gpu(settings: Settings) -> str:
    return f"--use_gpu={str(settings.accelerator == 'gpu').lower()}"


def _kernels(
    phone: Phone, command: list[str], settings: Settings, context: Context
) -> tuple[tuple[KernelTime, ...], tuple[str, ...]]:
    """Kernel times, and a note where there are none."""
    try:
        log = _run(phone, [*command, "--enable_op_profiling=true"], settings.time_limit_s)
        return _read(log, context).kernels, ()
    except PhoneError:
        raise
    except MeasurementError as error:
        return (), (f"no kernel times: {error}",)


def _read(log: str, context: Context) -> Measurement:
    """The measurement in a log; its line numbers mean nothing to a user who never sees it."""
    try:
        return read(log, context)[0]
    except MeasurementError as error:
        raise MeasurementError(error.problem) from error


def _only_serial(adb: str) -> str:
    """The serial number of the one phone there is."""
    lines = _adb([adb, "devices"]).stdout.splitlines()
    phones = [line.split("\t")[0] for line in lines if "\t" in line]
    if not phones:
        raise PhoneError("no phone is connected: plug one in and switch on USB debugging")
    if len(phones) > 1:
        raise PhoneError(f"several phones are connected, choose one: --serial {'|'.join(phones)}")
    return phones[0]


def _check_state(adb: str, serial: str) -> None:
    done = _adb([adb, "-s", serial, "get-state"])
    state, said = done.stdout.strip(), done.stderr.strip()
    if done.returncode == 0 and state == "device":
        return
    if "unauthorized" in state + said:
        raise PhoneError(
            f"{serial} does not trust this computer: unlock it and accept 'Allow USB debugging'"
        )
    if "not found" in said or "no devices" in said:
        raise PhoneError(f"no phone {serial} is connected: 'adb devices' lists those that are")
    raise PhoneError(f"{serial} is {state or said or 'not ready'}: plug it in again or restart it")


def _check_abi(tool: Path, abi: str) -> None:
    """Raise where the tool is not a program for this phone's processor."""
    with tool.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        raise PhoneError(f"{tool} is not an Android program")
    built_for = ABI_OF_MACHINE.get(struct.unpack_from("<H", head, 18)[0], "another processor")
    if built_for != abi:
        raise PhoneError(f"{tool} is built for {built_for}, the phone is {abi}: get that build")


def _push(adb: str, serial: str, path: Path) -> tuple[PurePosixPath, str]:
    """The file on the phone, and its hash; pushed unless it is there, whole."""
    digest = file_sha256(path)
    remote = REMOTE_DIRECTORY / f"{digest[:16]}{path.suffix}"
    # The name holds the hash; a push that was cut short is told by its size.
    if _remote_size(adb, serial, remote) != path.stat().st_size:
        _shell(adb, serial, f"mkdir -p {REMOTE_DIRECTORY}")
        done = _adb([adb, "-s", serial, "push", str(path), str(remote)], PUSH_SECONDS)
        if done.returncode:
            _fail(adb, serial, f"'adb push {path.name}'", done)
    return remote, digest


def _remote_size(adb: str, serial: str, path: PurePosixPath) -> int | None:
    """Size in bytes of a file on the phone; None where there is none."""
    done = _adb([adb, "-s", serial, "shell", f"stat -c %s {path}"])
    text = done.stdout.strip()
    return int(text) if done.returncode == 0 and text.isdecimal() else None


def _run(phone: Phone, command: list[str], time_limit_s: float) -> str:
    """All that the benchmark tool prints."""
    words = [phone.adb, "-s", phone.serial, "shell", f"{shlex.join(command)} 2>&1"]
    try:
        done = _call(words, time_limit_s)
    except subprocess.TimeoutExpired:
        raise MeasurementError(
            f"not done within {time_limit_s:g} s: allow more (--time-limit) or make fewer runs"
        ) from None
    if done.returncode:
        _fail(phone.adb, phone.serial, "benchmark_model", done)
    return done.stdout


def _shell(adb: str, serial: str, command: str) -> str:
    done = _adb([adb, "-s", serial, "shell", command])
    if done.returncode:
        _fail(adb, serial, f"'{command}'", done)
    return done.stdout


def _fail(adb: str, serial: str, what: str, done: Done) -> NoReturn:
    """Raise for a command that failed: `PhoneError` if the phone is lost, else its own error."""
    _check_state(adb, serial)
    if reason := _SIGNALS.get(done.returncode - 128):
        raise MeasurementError(f"{what} was {reason} (exit code {done.returncode})")
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    said = next((line for line in lines if "error" in line.lower()), (lines or ["no output"])[-1])
    raise MeasurementError(f"{what} failed (exit code {done.returncode}): {said}")


def _adb(command: list[str], time_limit_s: float = SHORT_SECONDS) -> Done:
    """A finished adb command that a phone in order answers at once."""
    try:
        return _call(command, time_limit_s)
    except subprocess.TimeoutExpired:
        raise PhoneError(
            f"the phone does not answer ('adb {command[-1]}'): plug it in again or restart it"
        ) from None


def _call(command: list[str], time_limit_s: float) -> Done:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=time_limit_s,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()

"""What the logs of the benchmark tools have in common: prefixes, sessions, delegation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .measurement import MeasurementError

_PREFIXES = re.compile(
    r"""
    ^(?:
        (?:\d{4}-)?\d\d-\d\d\ \d\d:\d\d:\d\d\.\d+ \s+ \d+ \s+ \d+ \s [VDIWEF]\ [^:]*:[ ]? # logcat
      | [VDIWEF]/[^(]{1,64}\(\s*\d+\):[ ]?                                  # logcat -v brief
      | \d{4}-\d\d-\d\d\ \d\d:\d\d:\d\d(?:,\d+)? \s+ [A-Z]+ \s+ \w+:[ ]?    # Python's logging
      | [IWEF]\d{4}\ \d\d:\d\d:[\d.]+ \s+ \d+ \s [^\]]*\][ ]?               # Abseil's
    )?
    (?:(?:VERBOSE|INFO|WARNING|ERROR):[ ])?
    (?:\[[\w./+-]+:\d+\][ ]?)?                                              # LiteRT's file:line
    """,
    re.VERBOSE,
)
_MODEL = re.compile(r"(?:Graph: \[(.+)\]|Loaded model (.+)|Model: +(.+\.tflite))$")
_REPLACED = re.compile(
    r"Replacing (\d{1,9})(?: out of (\d{1,9}))? node\(s\) with delegate \([^)]*\) node, "
    r"yielding (\d{1,9}) partition"
)
_REFUSED = re.compile(r"Following operations are not supported by .* delegate:\s*(.*)$")
_END_OF_REFUSED = "operations will run on"

NOT_DELEGATED = (
    "Failed to apply GPU delegate",
    "GPU acceleration is unsupported on this platform",
    "No operations will run on the GPU",
    "will not be executed by the delegate",
)
"""Any of these means that the timings which follow are the CPU's."""
NOTED = {
    "Falling back to OpenGL": "OpenCL failed, the GPU ran through OpenGL",
    "Allow lower precision in gpu: [0]": "the GPU computed in fp32",
}
"""What to note where a log says the left."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log without its prefix; `number` counts from 1 in the file."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a log says of the delegation of one model; see `Measurement`."""

    accelerator: str
    delegated: bool | None
    delegated_ops: int | None
    total_ops: int | None
    partitions: int | None
    notes: tuple[str, ...]


def lines_of(text: str) -> list[Line]:
    """All lines without prefixes and without white space at the end."""
    return [
        Line(number, _PREFIXES.sub("", line, count=1).rstrip())
        for number, line in enumerate(text.split("\n"), start=1)
    ]


def sessions(lines: list[Line], start: re.Pattern[str]) -> list[list[Line]]:
    """The log cut before every line that `start` matches; what precedes the first is its own."""
    cuts = [i for i, line in enumerate(lines) if start.match(line.text)]
    ends = [*cuts, len(lines)]
    pieces = [lines[: ends[0]], *(lines[a:b] for a, b in zip(cuts, ends[1:], strict=True))]
    return [piece for piece in pieces if piece]


def model_of(lines: list[Line]) -> str | None:
    """Stem of the model's file, of a phone's or Windows' path; None where the log has none."""
    for line in lines:
        if match := _MODEL.search(line.text):
            path = next(group for group in match.groups() if group)
            name = re.split(r"[/\\]", path.strip())[-1]
            return name.removesuffix(".tflite") or None
    return None


def delegation_of(lines: list[Line], asked: str) -> Delegation:
    """Where a model ran that was asked to run on the accelerator `asked`."""
    notes = [
        note for tell, note in NOTED.items() if any(line.text.startswith(tell) for line in lines)
    ]
    if asked == "cpu":
        return Delegation("cpu", None, None, None, None, tuple(notes))
    # What the GPU left goes to XNNPACK, whose lines read the same and tell nothing of the GPU.
    lines = [line for line in lines if "xnnpack" not in line.text.lower()]
    notes += _refusals(lines)
    refused = [line.text for line in lines if any(tell in line.text for tell in NOT_DELEGATED)]
    if refused:
        notes.append(f"asked for the {asked}, ran on the CPU: {refused[0]}")
        return Delegation("cpu", False, None, None, None, tuple(notes))
    replaced = total = pieces = None
    for line in lines:
        if found := _REPLACED.search(line.text):
            replaced, pieces = int(found[1]), int(found[3])
            total = int(found[2]) if found[2] else None
            break
    delegated: bool | None = None
    if any("will be completely executed by the delegate" in line.text for line in lines):
        delegated = True
    elif any("will be partially executed by the delegate" in line.text for line in lines):
        delegated = False
    elif replaced is not None and total is not None:
        delegated = replaced == total and pieces == 1
    if delegated is False:
        part = f"{replaced} of {total}" if total is not None else "some"
        notes.append(f"the {asked} ran {part} ops, the CPU the others")
    return Delegation(asked, delegated, replaced, total, pieces, tuple(notes))


def number(text: str, line: int) -> float:
    """A number of a log as printed by C++, "2.9e+06" included."""
    try:
        return float(text)
    except ValueError:
        raise MeasurementError(f"{text!r} is no number", line=line) from None


def _refusals(lines: list[Line]) -> list[str]:
    """The ops that a delegate says it refuses, one note each."""
    notes = []
    for index, line in enumerate(lines):
        if not (match := _REFUSED.search(line.text)):
            continue
        for op in [match[1], *(later.text for later in lines[index + 1 : index + 21])]:
            if _END_OF_REFUSED in op:
                break
            if op:
                notes.append(f"refused: {op}")
        break
    return notes

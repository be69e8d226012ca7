"""What LiteRT's own GPU backend says of a model, beside what our checker says.

The backend (ML Drift on Vulkan) is a newer engine than the OpenCL delegate of the phones
that `latency.support` restates, so the two may differ for a known reason.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latency.graph import Graph
from latency.kernel import Lowering

from .driver import find_vulkan_driver
from .process import ask
from .timing import NO_DRIVER, LiteRTError

_HEADING = "not supported by GPU delegate"
_REFUSAL = re.compile(r"^\s*([A-Z][A-Z0-9_]+): (.+)$")
_END = re.compile(r"operations? will run on the GPU")

KNOWN_DIFFERENCES: Mapping[str, str] = {
    "GATHER": "the delegate parses it; this backend fails on it late",
    "BATCH_MATMUL": "the delegate multiplies two tensors; this backend aborts on one with itself",
    "PACK": "the delegate stacks; this backend refuses it",
    "SELECT_V2": "supported by this backend in more forms",
}
"""Op kinds on which the backend and the phones' delegate are known to differ, and how."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """`accepted`: the GPU takes the whole model. `refused`: (op kind, reason) as LiteRT says.

    `problem`: how it ended where it did not accept, e.g. an abort, which counts as refusal.
    """

    accepted: bool
    refused: tuple[tuple[str, str], ...]
    problem: str
    driver: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An op kind (or "" for the whole model) that only one of the two refuses.

    `explanation` is empty where no known difference covers it.
    """

    kind: str
    ours: str
    theirs: str
    explanation: str


def second_opinion(model: Path | bytes, *, time_limit_s: float = 120.0) -> SecondOpinion:
    """Compile and run a .tflite file with LiteRT's GPU backend, in a process of its own.

    Raises `LiteRTError` where no Vulkan driver is at hand.
    """
    driver = find_vulkan_driver()
    if driver is None:
        raise LiteRTError(NO_DRIVER)
    with tempfile.TemporaryDirectory() as folder:
        path = model if isinstance(model, Path) else Path(folder) / "model.tflite"
        if isinstance(model, bytes):
            path.write_bytes(model)
        request = {"model": str(path), "accelerator": "gpu", "runs": 1, "warmup": 0, "threads": 1}
        answer = ask(json.dumps(request), driver.environment(), time_limit_s)
    refused = refusals(answer.stderr)
    accepted = answer.values is not None and not answer.problem and not refused
    return SecondOpinion(accepted, refused, answer.problem, driver.icd.stem)


def refusals(stderr: str) -> tuple[tuple[str, str], ...]:
    """(op kind, reason) of LiteRT's list of refused operations."""
    found: list[tuple[str, str]] = []
    listing = False
    for line in stderr.splitlines():
        if _HEADING in line:
            listing = True
            continue
        match = _REFUSAL.match(line)
        if listing and match:
            found.append((match.group(1), match.group(2).strip()))
        elif _END.search(line):
            listing = False
    return tuple(dict.fromkeys(found))


def disagreements(
    graph: Graph, lowering: Lowering, opinion: SecondOpinion
) -> tuple[Disagreement, ...]:
    """Where our checker and LiteRT differ, by kind of op."""
    ours = {
        fallback.kind: fallback.reason
        for fallback in lowering.fallbacks
        if not fallback.reason.startswith("supported, but")
    }
    theirs = dict(opinion.refused)
    found = []
    for kind in sorted(ours.keys() ^ theirs.keys()):
        reason = ours.get(kind, "runs on the GPU")
        explained = KNOWN_DIFFERENCES.get(kind, "")
        if not explained and "broadcast" in reason:
            explained = "this backend broadcasts any shapes, the delegate only some"
        found.append(Disagreement(kind, reason, theirs.get(kind, "runs on the GPU"), explained))
    if not opinion.accepted and not theirs and not ours:
        kinds = {op.kind for op in graph.ops}
        known = [text for kind, text in KNOWN_DIFFERENCES.items() if kind in kinds]
        found.append(Disagreement("", "runs on the GPU", opinion.problem, "; ".join(known)))
    # Refused for other ops than ours is agreement on the model; nothing refused at all is not.
    if opinion.accepted and not theirs and ours and not found:
        found.append(Disagreement("", "refused", "runs on the GPU", ""))
    return tuple(found)

"""A bundle verified again, later and anywhere: without its study, its data or TensorFlow."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from latency import Graph, LatencyEstimate, LatencyOracle, load_profile
from latency.graph import GraphError
from search.data.pairs import encoder_for
from search.errors import UserError
from search.export.record import StoredBundle, StoredFile, graph_of
from search.networks import Candidate, candidate

from .bounds import BOUNDS, not_for_gpu, too_far
from .check import CHECK, Checked, CheckPicture, read_check
from .delegation import CheckedOp, checked_ops, left_to_cpu, unsound_ops

TOLERANCE_DB = 0.02
"""How far the check picture's PSNR may be from the recorded one: other CPUs round otherwise."""


@dataclass(frozen=True)
class Finding:
    """Of one file, or of several. `told`: what it is; `problems`: why it is not to be trusted."""

    name: str
    told: str
    problems: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """For the terminal."""
        if self.problems:
            return f"{self.name}: FAILED: {'; '.join(self.problems)}"
        return f"{self.name}: {self.told}"


class Again:
    """What the files of a bundle are held against.

    Raises UserError for a bundle without a check picture, or of a network that is not known here.
    """

    def __init__(self, bundle: StoredBundle) -> None:
        if bundle.format < 2:
            raise UserError(
                f"{bundle.directory} is of an older version, which kept no check picture: export "
                "it again"
            )
        self.bundle = bundle
        self._oracle = LatencyOracle(load_profile(bundle.device))
        self._encode = encoder_for(bundle.sensor, bundle.encoding)

    @cached_property
    def _network(self) -> Candidate:
        try:
            return candidate(self.bundle.architecture).clipped
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{self.bundle.directory}: this version knows no such network: {error}"
            ) from None

    @cached_property
    def _picture(self) -> CheckPicture:
        return read_check(self.bundle.directory, self.bundle.contents.get(CHECK))

    def others(self) -> list[Finding]:
        """Of all files but the networks: those that are not as they were written, then the rest."""
        found = []
        for name, sha256 in self.bundle.contents.items():
            try:
                content = (self.bundle.directory / name).read_bytes()
            except OSError as error:
                found.append(Finding(name, "", (f"cannot be read: {error.strerror}",)))
                continue
            if hashlib.sha256(content).hexdigest() != sha256:
                found.append(Finding(name, "", ("not as it was written: its SHA-256 differs",)))
        whole = len(self.bundle.contents) - len(found)
        return [*found, Finding(f"{whole} other files", "as they were written")]

    def file(self, file: StoredFile) -> Finding:
        """Of one network: its bytes, its graph, where its ops run, and the check picture."""
        name = file.variant.file_name
        try:
            content = self.bundle.content(file)
            graph = graph_of(content, self.bundle.path(file))
            flaws = [f"not a sound export: {flaw}" for flaw in unsound_ops(graph)]
            wrong = self._shape_problems(file, graph)
            if wrong:
                return Finding(name, "", (*flaws, *wrong))
            latency = self._oracle.predict(graph)
            ops = checked_ops(graph, self._oracle.profile.gpu)
            if BOUNDS[file.variant.precision].for_gpu:
                flaws += not_for_gpu(left_to_cpu(ops), self._as_priced(file, latency))
            if flaws:
                return Finding(name, "", tuple(flaws))
            checked = self._picture.check(content, file.variant, self._encode)
        except (UserError, GraphError) as error:
            return Finding(name, "", (str(error),))
        told = (
            f"{_delegated(ops)}, {_predicted(file, latency)}, check picture "
            f"{checked.psnr_db:.2f} dB, largest error {checked.max_error:.1e}"
        )
        forced = [f"failed when it was exported, by force: {why}" for why in file.failures]
        return Finding(name, told, (*_picture_problems(file, checked), *forced))

    def _shape_problems(self, file: StoredFile, graph: Graph) -> list[str]:
        shape, scale = file.variant.input_shape, self.bundle.task.scale
        output = (scale * shape[0], scale * shape[1], 3)
        problems = []
        for what, tensors, wanted in (
            ("takes", graph.inputs, (1, *shape)),
            ("gives", graph.outputs, (1, *output)),
        ):
            found = [graph.tensors[tensor] for tensor in tensors]
            if [(t.shape, t.dtype) for t in found] != [(wanted, "float32")]:
                shown = ", ".join(f"{t.dtype} {'x'.join(map(str, t.shape))}" for t in found)
                problems.append(f"{what} {shown}, not float32 {'x'.join(map(str, wanted))}")
        return problems

    def _as_priced(self, file: StoredFile, latency: LatencyEstimate) -> bool:
        """Whether the file has the kernels of its record's network."""
        traced = self._network.trace(*file.variant.input_shape[:2])
        return latency.launches == self._oracle.predict(traced).launches


def verify_again(bundle: StoredBundle) -> list[Finding]:
    """All files of `bundle`: see `Again`."""
    again = Again(bundle)
    return [*(again.file(file) for file in bundle.files.values()), *again.others()]


def _delegated(ops: Sequence[CheckedOp]) -> str:
    left = len(left_to_cpu(ops))
    return f"{left} of {len(ops)} ops on the CPU" if left else f"all {len(ops)} ops on the GPU"


def _predicted(file: StoredFile, now: LatencyEstimate) -> str:
    told = f"predicted {now.ms:.2f} ms ({now.low_ms:.2f} to {now.high_ms:.2f})"
    was = (file.predicted_ms, file.low_ms, file.high_ms)
    same = all(
        math.isclose(a, b, rel_tol=1e-6)
        for a, b in zip(was, (now.ms, now.low_ms, now.high_ms), strict=True)
    )
    if same:
        return told
    return f"{told} by a profile that has changed, {file.predicted_ms:.2f} ms when exported"


def _picture_problems(file: StoredFile, checked: Checked) -> list[str]:
    if not math.isfinite(checked.max_error):
        return ["the output is not finite"]
    problems = too_far(file.variant.precision, checked.max_error)
    recorded = file.check_psnr_db
    if recorded is not None and abs(checked.psnr_db - recorded) > TOLERANCE_DB:
        problems.append(
            f"gives another picture than when it was exported: {checked.psnr_db:.3f} dB, "
            f"{recorded:.3f} dB then"
        )
    return problems

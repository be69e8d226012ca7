"""What a full training leaves beside its weights: a JSON document that says what it was of."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from search.artifacts import WEIGHTS, write_bytes
from search.config import StudyConfig
from search.errors import UserError
from search.study.directories import trained_directory
from search.study.versions import versions_here

from .plan import TrainingPlan

RECORD = "training.json"


@dataclass(frozen=True)
class Result:
    """What was measured of the trained network, on the study's validation data.

    `curve`: (step, PSNR in dB), the last one over all images, those before it over the first
    `rung_images` of the recipe. `validation`: how images were run. `seconds`: wall time by phase,
    of the last call alone where there were several. `weights_sha256`: of the file of weights.
    """

    psnr_db: float
    ssim: float
    curve: tuple[tuple[int, float], ...]
    validation: str
    parameters: int
    seconds: dict[str, float]
    weights_sha256: str


@dataclass(frozen=True)
class TrainingRecord:
    """A full training in its folder. `wanted`: the identity of its plan. `result`: None until it
    has ended. `origin`: such as "trial 12". `dataset`: as its makers call it.
    """

    wanted: dict[str, Any]
    origin: str
    dataset: str
    versions: dict[str, str]
    result: Result | None = None

    @property
    def steps(self) -> int:
        """How long it is."""
        return int(self.wanted["recipe"]["steps"])

    def write(self, directory: Path) -> None:
        """To the folder, whole or not at all."""
        write_bytes(directory / RECORD, json.dumps(asdict(self), indent=2).encode())


def started(plan: TrainingPlan, dataset: str) -> TrainingRecord:
    """The record of a training that begins, or goes on, here and now."""
    return TrainingRecord(plan.identity, plan.origin, dataset, versions_here())


def read_record(directory: Path) -> TrainingRecord | None:
    """The record of a folder, None where it has none. Raises UserError for a damaged one."""
    path = directory / RECORD
    try:
        fields = json.loads(path.read_text())
        result = fields["result"]
        if result is not None:
            curve = tuple((int(step), float(psnr_db)) for step, psnr_db in result["curve"])
            result = Result(**{**result, "curve": curve})
        record = TrainingRecord(**{**fields, "result": result})
        if record.steps < 1:
            raise ValueError(f"{record.steps} steps")
        return record
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged: {error} ('lensnas train --force' begins anew)"
        ) from None


def trainings_of(config: StudyConfig) -> dict[str, TrainingRecord]:
    """Those in a study's own folder, by the names of theirs; damaged ones are left out."""
    found = {}
    for path in sorted(trained_directory(config, "").glob(f"*/{RECORD}")):
        with contextlib.suppress(UserError):
            record = read_record(path.parent)
            if record is not None and record.wanted.get("study") == config.name:
                found[path.parent.name] = record
    return found


def require_own_folder(directory: Path) -> None:
    """Raises UserError for a folder that holds something else than a training, or that is none."""
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is no folder: name a new one")
    ours = (directory / RECORD).exists()
    if not ours and any(not path.name.startswith(".") for path in directory.glob("*")):
        raise UserError(f"{directory} holds other things: name a new folder")


def finished(plan: TrainingPlan) -> TrainingRecord | None:
    """The record of the same training where it has ended already, None where there is work.

    Raises UserError for a folder of another training, or of one whose weights are gone.
    """
    found = read_record(plan.directory)
    if found is None:
        return None
    # As it would come back from a file: tuples are lists there.
    wanted = json.loads(json.dumps(plan.identity))
    if found.wanted != wanted:
        differing = ", ".join(_differences(found.wanted, wanted))
        raise UserError(
            f"{plan.directory} holds another training (its {differing} differ): name another "
            "folder, or --force to replace it"
        )
    if found.result is None:
        return None
    if not (plan.directory / WEIGHTS).exists():
        raise UserError(f"the weights in {plan.directory} are gone: --force trains them anew")
    return found


def forget_result(directory: Path) -> None:
    """Let the folder hold a training that has not ended, where its record can be read."""
    with contextlib.suppress(UserError):
        found = read_record(directory)
        if found is not None:
            replace(found, result=None).write(directory)


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of settings, those of recipes one by one."""
    names = []
    for key in other:
        a, b = one.get(key), other[key]
        if key == "recipe" and isinstance(a, dict):
            names += [name for name in b if a.get(name) != b[name]]
        elif a != b:
            names.append(key)
    return names or ["settings"]

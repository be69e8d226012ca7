"""What a job reads and leaves, so that it can run where the driver's files are not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from search.training.checkpoint import CHECKPOINT
from search.training.recipe import Recipe

from .job import AnyJob, Job


@dataclass(frozen=True)
class Input:
    """A file that a job finds where it runs: one it names by `path`, or, where that is relative,
    one of its directory. `sha256` is of its content."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Changes:
    """What a job has done to its directory since it was last looked at: contents by name."""

    written: Mapping[str, bytes] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def files_read(job: AnyJob) -> list[Path]:
    """The files that `job` names and reads, its data set aside; each once, those that are there."""
    named = list(map(Path, _weights_named(job.recipe)))
    if isinstance(job, Job):
        named += [] if job.lpips is None else [job.lpips]
        named += [] if job.donor is None else [job.donor.path]
    return [path for path in dict.fromkeys(named) if path.is_file()]


def files_in(directory: Path) -> list[Path]:
    """The whole files of a job's directory, which does not have to exist, by name.

    Hidden ones are being written.
    """
    if not directory.is_dir():
        return []
    visible = (path for path in directory.iterdir() if not path.name.startswith("."))
    return sorted(path for path in visible if path.is_file())


def absolute(job: AnyJob) -> AnyJob:
    """`job` with paths that mean the same in every process of this machine."""
    moved = {path: path.absolute() for path in files_read(job)}
    checkpoint = checkpoint_of(job)
    return relocated(
        job,
        job.directory.absolute(),
        job.data.root.absolute(),
        moved,
        checkpoint and checkpoint.absolute(),
    )


def relocated(
    job: AnyJob,
    directory: Path,
    data: Path,
    moved: Mapping[Path, Path],
    checkpoint: Path | None = None,
) -> AnyJob:
    """`job` where its directory, its data, its checkpoint and the files that it reads lie
    elsewhere."""
    source = replace(job.data, root=data)
    recipe = _with_weights(job.recipe, {str(old): str(new) for old, new in moved.items()})
    if not isinstance(job, Job):
        return replace(job, path=directory / job.path.name, data=source, recipe=recipe)
    donor = job.donor and replace(job.donor, path=moved.get(job.donor.path, job.donor.path))
    lpips = job.lpips and moved.get(job.lpips, job.lpips)
    return replace(
        job, directory=directory, data=source, recipe=recipe, donor=donor, lpips=lpips,
        checkpoint=checkpoint,
    )  # fmt: skip


def checkpoint_of(job: AnyJob) -> Path | None:
    """Where `job` keeps its progress; where it runs elsewhere, that is in its directory."""
    return job.checkpoint if isinstance(job, Job) else None


def files_kept(job: AnyJob) -> dict[str, Path]:
    """What a job finds in its directory where it runs, by name: what is in it here, and its
    checkpoint, wherever that is."""
    kept = {path.name: path for path in files_in(job.directory)}
    checkpoint = checkpoint_of(job)
    if checkpoint is not None and checkpoint.is_file():
        kept[CHECKPOINT] = checkpoint
    return kept


class DirectoryWatch:
    """Tells what changed in a job's directory from one look to the next."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen = self._look()

    def changes(self) -> Changes:
        """Since the last call, or since this was made."""
        before, self._seen = self._seen, self._look()
        changed = [name for name, state in self._seen.items() if before.get(name) != state]
        return Changes(
            {name: (self._directory / name).read_bytes() for name in changed},
            tuple(name for name in before if name not in self._seen),
        )

    def _look(self) -> dict[str, tuple[int, int, int]]:
        stats = {path.name: path.stat() for path in files_in(self._directory)}
        return {name: (s.st_ino, s.st_mtime_ns, s.st_size) for name, s in stats.items()}


def _weights_named(recipe: Recipe) -> list[str]:
    """Of its teacher and its perceptual losses; a name such as "imagenet" is no file."""
    teacher = recipe.teacher and recipe.teacher.weights
    return [*recipe.perceptual_weights.values(), *([teacher] if teacher else [])]


def _with_weights(recipe: Recipe, moved: Mapping[str, str]) -> Recipe:
    perceptual = {name: _moved(file, moved) for name, file in recipe.perceptual_weights.items()}
    teacher = recipe.teacher
    if teacher is not None and teacher.weights is not None:
        teacher = teacher.model_copy(update={"weights": _moved(teacher.weights, moved)})
    return recipe.model_copy(update={"perceptual_weights": perceptual, "teacher": teacher})


def _moved(file: str, moved: Mapping[str, str]) -> str:
    return moved.get(str(Path(file)), file)

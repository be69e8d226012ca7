"""Jobs taken apart for a machine that has none of their files, and what they leave brought back."""

from dataclasses import replace
from pathlib import Path

import pytest

from search.networks import zoo_architecture
from search.study.job import DataSource, DonorFile, Job, SuperNetworkJob
from search.study.ray_pool import write_changes
from search.study.shipping import (
    DirectoryWatch,
    absolute,
    files_in,
    files_kept,
    files_read,
    relocated,
)
from search.training.recipe import Recipe
from search.training.reuse.recipe import SuperNetwork
from spaces import SPACES

TEACHER = {"system": "mialgo_track1", "weights": "teacher.npz"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("alex.npz", "vgg.h5", "donor.npz", "teacher.npz"):
        Path(name).write_bytes(name.encode())
    return tmp_path


def job_of(folder, **recipe):
    return Job(
        "trial 0",
        zoo_architecture("mialgo_track1"),
        Recipe.model_validate(recipe),
        DataSource("sample", Path("data")),
        seed=0,
        directory=Path("trials/0"),
        lpips=Path("alex.npz"),
        donor=DonorFile(Path("donor.npz")),
    )


def test_every_file_that_a_job_names_is_read_from_where_it_was_moved(folder):
    perceptual = {"vgg19": "vgg.h5", "resnet50": "imagenet"}
    loss = {"l1": 1.0, "vgg19": 0.1, "resnet50": 0.1}
    job = job_of(folder, teacher=TEACHER, loss=loss, perceptual_weights=perceptual)
    there = [Path(name) for name in ("vgg.h5", "teacher.npz", "alex.npz", "donor.npz")]
    assert sorted(files_read(job)) == sorted(there)

    elsewhere = {path: Path("/kept") / path.name for path in there}
    moved = relocated(job, Path("/work"), Path("/sets"), elsewhere)
    assert moved.directory == Path("/work")
    assert moved.data == DataSource("sample", Path("/sets"))
    assert moved.lpips == Path("/kept/alex.npz")
    assert moved.donor == DonorFile(Path("/kept/donor.npz"))
    assert moved.recipe.teacher.weights == "/kept/teacher.npz"
    # A name that is no file stays one.
    assert moved.recipe.perceptual_weights == {"vgg19": "/kept/vgg.h5", "resnet50": "imagenet"}
    assert (
        relocated(moved, job.directory, Path("data"), {v: k for k, v in elsewhere.items()}) == job
    )


def test_a_job_without_files_reads_none(folder):
    job = replace(job_of(folder), lpips=None, donor=None)
    assert files_read(job) == []
    assert relocated(job, job.directory, job.data.root, {}) == job


def test_a_file_that_is_not_there_is_not_shipped(folder):
    Path("donor.npz").unlink()
    assert files_read(job_of(folder)) == [Path("alex.npz")]


def test_an_absolute_job_names_the_same_files_from_any_folder(folder, monkeypatch):
    job = absolute(job_of(folder, teacher=TEACHER))
    monkeypatch.chdir("/")
    assert {path.read_bytes() for path in files_read(job)} == {
        b"alex.npz", b"donor.npz", b"teacher.npz"
    }  # fmt: skip
    assert job.directory == folder / "trials/0"
    assert job.data.root == folder / "data"


def test_a_super_network_keeps_the_name_of_its_file(folder):
    source = DataSource("sample", Path("data"))
    space, path = SPACES["unet_isp"], Path("runs/shared/weights.npz")
    settings = SuperNetwork(kind="super_network")
    job = SuperNetworkJob("Super-network", space, settings, Recipe(), source, 0, path)
    moved = relocated(job, Path("/work"), Path("/sets"), {})
    assert (moved.path, moved.directory) == (Path("/work/weights.npz"), Path("/work"))


def test_what_changed_in_a_directory_is_told_once_and_done_again_elsewhere(folder):
    there, job = folder / "there", replace(job_of(folder), checkpoint=Path("checkpoints/7.npz"))
    there.mkdir()
    (there / "checkpoint.npz").write_bytes(b"step 1")
    watch = DirectoryWatch(there)
    assert watch.changes().written == {}

    (there / "log.txt").write_bytes(b"begun")
    (there / ".weights.npz.tmp").write_bytes(b"half of them")
    write_changes(job, watch.changes())
    assert [path.name for path in files_in(job.directory)] == ["log.txt"]
    assert watch.changes().written == {}

    # Of the same length, and replaced as files are that are written whole.
    (there / "new").write_bytes(b"step 2")
    (there / "new").replace(there / "checkpoint.npz")
    write_changes(job, watch.changes())
    assert job.checkpoint.read_bytes() == b"step 2"

    (there / "log.txt").unlink()
    write_changes(job, watch.changes())
    write_changes(job, watch.changes())
    assert files_in(job.directory) == []


def test_a_job_finds_its_checkpoint_in_its_directory_elsewhere(folder):
    job = replace(job_of(folder), checkpoint=Path("checkpoints/7.npz"))
    assert files_kept(job) == {}
    for path in (job.checkpoint, job.directory / "log.txt"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    assert files_kept(job) == {
        "log.txt": job.directory / "log.txt", "checkpoint.npz": job.checkpoint
    }  # fmt: skip
    moved = relocated(job, Path("/work"), Path("/sets"), {}, Path("/work/checkpoint.npz"))
    assert moved.checkpoint == Path("/work/checkpoint.npz")
    assert absolute(job).checkpoint == folder / "checkpoints/7.npz"


def test_a_directory_that_is_not_there_holds_nothing(tmp_path):
    assert files_in(tmp_path / "nowhere") == []

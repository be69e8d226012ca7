"""What the machine can do to a study: no room, no permission, no data, two at once, memory."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NOBODY = 65534


@pytest.fixture
def small_disk(terminal):
    """A disk of 64 MB, mounted in the terminal's directory."""
    folder = terminal.folder / "disk"
    folder.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", "size=64m", "lensnas-test", str(folder)]
    try:
        mounted = subprocess.run(call, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"mounting needs root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder, leave=0):
    """Write one file until at most `leave` bytes are free; delete it to have them back."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        free = os.statvfs(folder)
        for _ in range((free.f_bavail * free.f_frsize - leave) // 4096):
            file.write(bytes(4096))
    return path


def test_no_study_begins_on_a_disk_that_is_almost_full(terminal, small_disk, refused):
    filler = fill(small_disk, leave=40_000_000)
    file = terminal.study(output="disk/runs")
    refused(terminal("run", file), "50 MB", "disk/runs/tiny")
    fill(small_disk)
    assert filler.stat().st_size > 50_000_000
    refused(terminal("run", file), "disk/runs/tiny")


@pytest.mark.slow
def test_a_disk_that_fills_stops_the_study_and_costs_it_nothing(
    terminal, small_disk, refused, until
):
    longer = {"training": {"steps": 60}, "finals": None, "output": "disk/runs"}
    file = terminal.study(**longer)
    process = terminal.start("run", file)
    assert until(lambda: list(small_disk.glob("runs/tiny/trials/00000/log.txt")))
    filler = fill(small_disk)
    out, err = process.communicate(timeout=120)
    stopped = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    refused(stopped, re.search("No space left|disk is full|disk I/O", err)[0])
    assert terminal.all_gone()
    filler.unlink()
    document = json.loads(terminal("run", file, "--json").stdout)
    assert document["trained"] == document["counts"]["complete"] == 2
    assert "failed" not in document["counts"]


def test_a_folder_that_may_not_be_written_is_named(terminal, refused):
    (terminal.folder / "file").write_text("in the way")
    refused(terminal("run", terminal.study(output="file/runs")), "cannot write to file/runs/tiny")


def test_another_users_folder_is_named(terminal, refused):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        terminal.folder = folder
        file = terminal.study()
        # Where Python itself may not be read by others there is nothing to test.
        try:
            readable = terminal("--help", user=NOBODY, group=NOBODY).returncode == 0
        except PermissionError:
            readable = False
        if not readable:
            pytest.skip("the installation is not readable for other users")
        call = terminal("run", file, user=NOBODY, group=NOBODY)
        refused(call, "cannot write to runs/tiny", "Permission denied")


def test_a_missing_data_set_is_named(terminal, refused):
    file = terminal.study(data={"dataset": "zurich", "root": "nowhere"})
    refused(terminal("run", file), "nowhere")
    # What was refused for its data may be mended under the same name.
    file = terminal.study(data={"dataset": "fujifilm", "root": "elsewhere"})
    refused(terminal("run", file), "elsewhere")


def test_a_data_set_for_the_other_task_is_named(terminal, refused):
    for index in (0, 1, 4400, 4401):
        for side in ("original", "bokeh"):
            path = terminal.folder / "ebb" / "Training" / side / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(index).integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    file = terminal.study(data={"dataset": "ebb", "root": "ebb"})
    refused(terminal("run", file), "ebb", "bokeh, not isp")


def test_a_damaged_data_set_is_named_before_anything_is_trained(terminal, refused):
    data = {"train": 16, "val": 4, "patch": 128, "root": "data"}
    call = ["data", "prepare", "--root", "data", "--train", "16", "--val", "4", "--patch", "128"]
    directory = Path(json.loads(terminal(*call, "--json").stdout)["directory"])
    path = terminal.folder / directory / "train_target.npy"
    path.write_bytes(path.read_bytes()[:-1000])
    file = terminal.study(data=data)
    refused(terminal("run", file), str(directory / "train_target.npy"), "prepare it again")
    (terminal.folder / directory / "meta.json").write_text("{")
    refused(terminal("run", file), str(directory / "meta.json"))
    assert not (terminal.folder / "runs/tiny/trials").exists()


@pytest.mark.slow
def test_one_study_has_one_driver_whose_memory_does_not_grow(terminal, refused):
    file = terminal.study(trials=5, finals=None)
    process = terminal.start("run", file)
    resident_kib, second = [], []

    def watch():
        for line in process.stderr:
            if line.startswith("trial "):
                status = Path(f"/proc/{process.pid}/status").read_text()
                resident_kib.append(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]))
            if len(resident_kib) == 2 and not second:
                second.append(terminal("run", file))

    reader = threading.Thread(target=watch)
    reader.start()
    process.stdout.read()
    assert process.wait(120) == 0
    reader.join()
    refused(second[0], "another 'lensnas run'", "runs/tiny")
    assert len(resident_kib) == 5
    assert resident_kib[-1] < 1.1 * resident_kib[1]

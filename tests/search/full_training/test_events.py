"""However often a training was stopped, its log has every step once."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from search.full_training.events import FILES, EventLog, events


def logged(folder):
    """(step, tag, number) of everything in the log, file by file."""
    return [
        (event.step, value.tag, value.simple_value)
        for file in sorted(folder.glob(FILES))
        for event in events(file)
        for value in event.summary.value
    ]


def write(folder, start, stop):
    log = EventLog(folder, start)
    for step in range(start + 1, stop + 1):
        log.scalars(step, {"loss": step / 4})
    return log


def test_numbers_and_pictures_come_back(tmp_path):
    log = EventLog(tmp_path / "run", 0)
    log.scalars(3, {"loss": 0.5, "learning_rate": 0.25})
    log.image(3, "picture", np.zeros((4, 6, 3), np.uint8))
    log.close()
    (file,) = (tmp_path / "run").glob(FILES)
    version, numbers, picture = events(file)
    assert version.file_version == "brain.Event:2"
    assert [(v.tag, v.simple_value) for v in numbers.summary.value] == [
        ("loss", 0.5),
        ("learning_rate", 0.25),
    ]
    image = picture.summary.value[0].image
    assert (image.height, image.width, image.encoded_image_string[:4]) == (4, 6, b"\x89PNG")


def test_what_was_written_is_there_for_who_looks_on(tmp_path):
    write(tmp_path, 0, 2)  # Not closed.
    assert logged(tmp_path) == [(1, "loss", 0.25), (2, "loss", 0.5)]


@pytest.mark.parametrize("torn", [0, 1, 7])
def test_steps_behind_the_checkpoint_are_cut_off(tmp_path, torn):
    write(tmp_path, 0, 9).close()
    (file,) = tmp_path.glob(FILES)
    if torn:
        file.write_bytes(file.read_bytes()[:-torn])
    write(tmp_path, 5, 8).close()
    write(tmp_path, 7, 10).close()
    assert logged(tmp_path) == [(step, "loss", step / 4) for step in range(1, 11)]
    starts = [
        event.step
        for file in sorted(tmp_path.glob(FILES))
        for event in events(file)
        if event.HasField("session_log")
    ]
    assert starts == [6, 8]


def test_a_training_that_begins_anew_has_a_new_log(tmp_path):
    write(tmp_path, 0, 9).close()
    (tmp_path / "weights.npz").write_bytes(b"whole")
    write(tmp_path, 0, 2).close()
    assert [step for step, *_ in logged(tmp_path)] == [1, 2]
    assert len(list(tmp_path.glob(FILES))) == 1
    assert (tmp_path / "weights.npz").exists()


LIMITED = """
import resource, sys
from pathlib import Path
from search.full_training.events import EventLog

log = EventLog(Path(sys.argv[1]), 0)
log.scalars(1, {"loss": 0.25})
resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))
for step in range(2, 6):
    log.scalars(step, {"loss": step / 4})
log.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 150))
EventLog(Path(sys.argv[1]), 1).close()
print("goes on")
"""


def test_a_disk_that_takes_no_more_ends_the_log_alone(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "goes on\n"), done.stderr
    assert done.stderr.count("no log from step ") == 2
    # What the limit has torn was cut off when the training went on without any space.
    assert logged(tmp_path) == [(1, "loss", 0.25)]
    write(tmp_path, 1, 3).close()
    assert [step for step, *_ in logged(tmp_path)] == [1, 2, 3]

"""What is on the disk is whole, whatever was killed while writing it."""

import hashlib
import os
import resource
import signal
import time

import numpy as np
import pytest

from search.artifacts import (
    WEIGHTS,
    load_weights,
    read_weights,
    remove,
    save_array,
    save_weights,
    write_arrays,
    write_bytes,
)


def test_weights_come_back_and_are_those_that_were_recorded(tmp_path):
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32([1.5])]
    sha256 = save_weights(tmp_path, weights)
    assert sha256 == hashlib.sha256((tmp_path / WEIGHTS).read_bytes()).hexdigest()
    for read in (load_weights(tmp_path), load_weights(tmp_path, sha256)):
        for ours, theirs in zip(read, weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    # Equal weights make equal files: a trial that is run again has the same digest.
    assert save_weights(tmp_path / "again", weights) == sha256
    assert save_weights(tmp_path / "others", weights[::-1]) != sha256


def test_other_weights_than_those_recorded_are_not_read(tmp_path):
    sha256 = save_weights(tmp_path, [np.zeros(3, np.float32)])
    save_weights(tmp_path, [np.ones(3, np.float32)])
    with pytest.raises(ValueError, match="SHA-256 is not the one recorded"):
        load_weights(tmp_path, sha256)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_torn_file_is_a_value_error(tmp_path, share):
    save_weights(tmp_path, [np.zeros(300, np.float32)])
    path = tmp_path / WEIGHTS
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"it is no \.npz"):
        read_weights(path)


def test_a_killed_writer_leaves_the_file_as_it_was_or_as_it_should_be(tmp_path):
    path = tmp_path / "weights.npz"
    write_arrays(path, {"a": np.zeros(500_000)})
    rng = np.random.default_rng(0)
    for _ in range(15):
        writer = os.fork()
        if not writer:
            try:
                for value in range(10_000):
                    write_arrays(path, {"a": np.full(500_000, value)})
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        [array] = read_weights(path)
        assert array.shape == (500_000,)
        assert np.all(array == array[0])
    remove(path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_bytes(tmp_path / "file", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_within_an_array_is_named(tmp_path):
    """NumPy says how many items it wrote, and no errno."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"No space left on device: .*a\.npy"):
            save_array(tmp_path / "a.npy", np.zeros(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

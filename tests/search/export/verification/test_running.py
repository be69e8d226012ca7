"""LiteRT in a process of its own, which may end in any way."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from processes import parent_of, wait_for
from small_isp import SHAPE, build

from search.errors import UserError
from search.export.conversion.convert import convert
from search.export.verification.running import WORKER, run_file


def _workers():
    """Processes that run a file for this one."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if WORKER.encode() in path.read_bytes() and parent_of(path.parent.name) == os.getpid():
                yield int(path.parent.name)
        except OSError:
            continue


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT])
def test_a_process_that_dies_natively_is_one_line(tmp_path, how):
    """As for want of memory, or where native code gives up."""
    frame, made = tmp_path / "frame.npy", tmp_path / "made.npy"
    np.save(frame, np.zeros((1, *SHAPE), np.float32))
    with ThreadPoolExecutor(1) as pool:
        # More frames than it has done before it is found.
        running = pool.submit(run_file, convert(build(), SHAPE), [frame] * 500, [made] * 500, "it")
        assert wait_for(lambda: any(_workers()))
        for worker in _workers():
            os.kill(worker, how)
        with pytest.raises(UserError) as told:
            running.result()
    assert str(told.value) == f"cannot run it: LiteRT ended the process (signal {how:d})"


def test_what_litert_refuses_is_one_line(tmp_path):
    with pytest.raises(
        UserError, match=r"cannot run it: ValueError: .*not a valid Flatbuffer"
    ) as e:
        run_file(b"no model", [], [], "it")
    assert len(str(e.value).splitlines()) == 1


def test_a_file_without_the_signature_is_named(tmp_path):
    """As TensorFlow Lite files from elsewhere have none."""
    import tensorflow as tf

    function = tf.function(lambda x: 2 * x, [tf.TensorSpec((1, 4), name="other")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    with pytest.raises(UserError, match="cannot run it: "):
        run_file(converter.convert(), [], [], "it")

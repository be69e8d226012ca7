"""A log for TensorBoard, in which every step stands once however often a training was stopped.

Event files are records of a protocol buffer that TensorFlow itself has; TensorBoard need not be
installed. A training that goes on from a checkpoint makes again the steps behind it, so what the
files say of those is cut off first.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from search.study.quiet import native_stderr_hidden

VERSION = "brain.Event:2"
FILES = "events.out.tfevents.*"
_V1 = tf.compat.v1
_FRAME = 16
"""Bytes of a record beside its content: the length, and a checksum of each."""


class EventLog:
    """The event files of `folder`, going on behind `step`: what they say of later ones goes.

    At 0 they are begun anew. What is written is in the file at once, for who looks on and for who
    is killed. A disk that takes no more ends the log, not the training: stderr says so, once.
    OSError where the files that are there cannot be changed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            native_stderr_hidden()
        ):  # Whoever reads a file is told the size of TensorFlow's buffer.
            for file in sorted(folder.glob(FILES)):
                if step:
                    _cut_behind(file, step)
                else:
                    file.unlink()
        # Files are read in the order of their names, and there may be two in one second.
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._writer: Any = None
        try:
            self._writer = tf.io.TFRecordWriter(str(folder / name))
        except tf.errors.OpError as error:
            self._ends(step + 1, error)
        self._write(_V1.Event(wall_time=time.time(), file_version=VERSION))
        if step:
            # An open TensorBoard has read what was cut off, and is told to forget it.
            start = _V1.SessionLog(status=_V1.SessionLog.START)
            self._write(_V1.Event(wall_time=time.time(), step=step + 1, session_log=start))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step, by their tags."""
        entries = [_V1.Summary.Value(tag=tag, simple_value=v) for tag, v in values.items()]
        self._summary(step, entries)

    def image(self, step: int, tag: str, pixels: np.ndarray) -> None:
        """A picture [H, W, 3] uint8."""
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "png")
        height, width = pixels.shape[:2]
        picture = _V1.Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=encoded.getvalue()
        )
        self._summary(step, [_V1.Summary.Value(tag=tag, image=picture)])

    def close(self) -> None:
        """End the file."""
        with contextlib.suppress(tf.errors.OpError):  # It has been said.
            if self._writer:
                self._writer.close()

    def _summary(self, step: int, entries: list[Any]) -> None:
        summary = _V1.Summary(value=entries)
        self._write(_V1.Event(wall_time=time.time(), step=step, summary=summary))

    def _write(self, event: Any) -> None:
        if self._writer is None:
            return
        try:
            self._writer.write(event.SerializeToString())
            self._writer.flush()
        except tf.errors.OpError as error:
            self._ends(event.step, error)

    def _ends(self, step: int, error: tf.errors.OpError) -> None:
        print(f"no log from step {step} on: {error.message}", file=sys.stderr, flush=True)
        self._writer = None


def events(file: Path) -> Iterator[Any]:
    """The events of a file, up to where a kill has torn it."""
    return (_V1.Event.FromString(record) for record in _records(file))


def _records(file: Path) -> Iterator[bytes]:
    records = iter(tf.data.TFRecordDataset(str(file)))
    while True:
        try:
            record = next(records)
        except (StopIteration, tf.errors.DataLossError):
            return
        yield record.numpy()


def _cut_behind(file: Path, step: int) -> None:
    """Keep of a file its events up to `step`; it goes where none says anything of them.

    Events are in the order of their steps, so it is cut at one place, which takes no space of a
    disk that may be full, and is done or not done whenever a kill comes.
    """
    size, says_something = 0, False
    for record in _records(file):
        event = _V1.Event.FromString(record)
        if event.step > step:
            break
        size += len(record) + _FRAME
        says_something = says_something or event.HasField("summary")
    if says_something:
        os.truncate(file, size)
    else:
        file.unlink()

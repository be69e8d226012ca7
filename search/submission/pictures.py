"""Every photograph of a folder through a .tflite file, with its PSNR where there is a target.

One process: `python -m search.submission.pictures REQUEST`. REQUEST is JSON: model, data, output
(paths), encoding, sensor, channels as in `search.render.request`. The answer is one JSON line:
{"dataset", "psnrs_db": {picture: PSNR in dB or None}} or {"error"}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from search.data.camera_raw import read_raw_photo
from search.data.folders import SUFFIXES, FolderPairs, decode_rgb, list_pairs
from search.data.inspect import detect
from search.data.pairs import PairSource, PreparedPairs, encoder_for, for_channels
from search.data.raw import Sensor
from search.errors import UserError
from search.metrics import psnr_db
from search.render.answer import answer
from search.render.engine import Plan, in_8_bits, plan, render
from search.render.frame import Frame
from search.render.photo import mosaic_frame

Target = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Photograph:
    """One input of a folder. `target`: None where the folder has inputs alone."""

    name: str
    frame: Frame
    target: Target | None


def main() -> None:
    """Answer the request on the command line."""
    answer(lambda request: _run(json.loads(request)))


def _run(request: dict[str, Any]) -> dict[str, Any]:
    model, output = Path(request["model"]).read_bytes(), Path(request["output"])
    dataset, photographs = _photographs(request)
    plans: dict[tuple[int, int], Plan] = {}
    psnrs_db: dict[str, float | None] = {}
    for photograph in photographs:
        size = photograph.frame.size
        if size not in plans:
            plans[size] = plan(model, size)
        picture = np.concatenate(list(render(plans[size], photograph.frame)))
        stored = in_8_bits(picture, photograph.name)
        Image.fromarray(stored).save(output / f"{photograph.name}.png")
        psnrs_db[photograph.name] = _psnr_db(stored, photograph)
    return {"dataset": dataset, "psnrs_db": psnrs_db}


def _psnr_db(picture: Target, photograph: Photograph) -> float | None:
    """Of the picture as it is stored, in 8 bits."""
    target = photograph.target
    if target is None:
        return None
    if target.shape != picture.shape:
        raise UserError(f"{photograph.name}: the target is {target.shape}, not {picture.shape}")
    scaled = [image[None].astype(np.float32) / 255 for image in (target, picture)]
    return float(psnr_db(*scaled)[0])


def _photographs(request: dict[str, Any]) -> tuple[str, Iterator[Photograph]]:
    """The data set's name, and its validation inputs or those that lie in the folder."""
    root = Path(request["data"])
    try:
        kind = detect(root)
    except UserError:
        inputs = _inputs(root)
        if not inputs:
            raise
        return f"inputs of {root.resolve().name}, without targets", _alone(inputs, request)
    source: PairSource = (
        PreparedPairs(root, "val") if kind == "sample" else list_pairs(kind, root, "val")
    )
    if (source.meta.sensor is None) != (request["sensor"] is None):
        raise UserError(f"{source.meta.dataset} is for the task {source.meta.task}, not this one")
    return source.meta.dataset, _of_pairs(source, request)


def _of_pairs(source: PairSource, request: dict[str, Any]) -> Iterator[Photograph]:
    encode = encoder_for(source.meta, request["encoding"])
    stems = [pair.stem for pair in source.files] if isinstance(source, FolderPairs) else []
    with_depth = for_channels(source, request["channels"])
    for index in range(len(source)):
        stored, target = with_depth.read(index)
        name = stems[index] if stems else f"{index:04d}"
        yield Photograph(name, Frame(stored, encode), target)


def _inputs(root: Path) -> list[Path]:
    """Images that lie in the folder itself. UserError where two would be one picture."""
    if not root.is_dir():
        return []
    images = [path for path in root.iterdir() if path.suffix.lower() in SUFFIXES]
    found: dict[str, Path] = {}
    for path in sorted(images):
        if path.stem in found:
            raise UserError(f"{found[path.stem].name} and {path.name} have one name: rename one")
        found[path.stem] = path
    return list(found.values())


def _alone(inputs: list[Path], request: dict[str, Any]) -> Iterator[Photograph]:
    for path in inputs:
        if request["sensor"]:
            sensor = Sensor.from_dict(request["sensor"])
            frame = mosaic_frame(read_raw_photo(path, sensor), sensor, request["encoding"])
        elif request["channels"] == 3:
            frame = Frame(decode_rgb(path), encoder_for(None))
        else:
            raise UserError("the network takes depth, which a folder of inputs does not have")
        yield Photograph(path.stem, frame, None)


if __name__ == "__main__":
    main()

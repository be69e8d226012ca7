"""A photograph through a bundle, in a process of its own."""

from __future__ import annotations

from pathlib import Path

from latency.litert.process import ask
from search.artifacts import folder_beside
from search.errors import UserError
from search.export.record import StoredBundle, input_channels

from .request import Rendered, Request


def render_photo(
    bundle: StoredBundle,
    photo: Path,
    output: Path,
    *,
    precision: str | None = None,
    pattern: str | None = None,
    black_level: float | None = None,
    white_level: float | None = None,
    depth: Path | None = None,
    largest: tuple[int, int] | None = None,
) -> Rendered:
    """Render `photo` to a PNG file, which is written whole or not at all.

    `largest`: rows and columns of a tile; by default what the file was made for.
    Raises UserError for all that cannot be read, rendered or written.
    """
    file = bundle.file(precision)
    content = bundle.content(file)
    for path in (photo, depth):
        if path is not None and not path.is_file():
            raise UserError(f"{path} is not there, or no file")
    if output.suffix.lower() != ".png":
        raise UserError(f"{output}: pictures are written as .png")
    if output.is_dir():
        raise UserError(f"{output} is a folder: name a file")
    if output.exists() and any(output.samefile(path) for path in (photo, depth) if path):
        raise UserError(f"{output} is what is to be rendered: name another file")
    channels = input_channels(content, bundle.path(file))
    with folder_beside(output) as folder:
        model = folder / "model.tflite"
        model.write_bytes(content)  # What runs is what was checked.
        request = Request(
            model=str(model),
            photo=str(photo),
            output=str(folder / output.name),
            encoding=bundle.encoding,
            channels=channels,
            sensor=bundle.sensor.to_dict() if bundle.sensor else None,
            pattern=pattern,
            black_level=black_level,
            white_level=white_level,
            depth=str(depth) if depth else None,
            largest=largest,
        )
        answer = ask(request.to_json(), {}, None, "search.render.worker")
        if answer.values is None or answer.problem:
            raise UserError(f"cannot render {photo.name}: {answer.problem}")
    pairs = {name: tuple(answer.values[name]) for name in ("tile", "overlap", "added")}
    return Rendered(**{**answer.values, **pairs})

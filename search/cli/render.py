"""`lensnas render`: a photograph of any size through an exported network."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError

from .arguments import AsJson, Bundle, Precision

if TYPE_CHECKING:
    from search.render.request import Rendered


def render(
    bundle: Bundle,
    photo: Annotated[
        Path, typer.Argument(metavar="PHOTO", help="RAW: .dng or Bayer .png. For bokeh: RGB.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture, a .png file.")],
    precision: Precision = None,
    pattern: Annotated[
        str | None, typer.Option(help="Of a Bayer .png: RGGB, GRBG, GBRG or BGGR.")
    ] = None,
    black_level: Annotated[
        float | None, typer.Option(min=0, help="Of a Bayer .png; default: the training data's.")
    ] = None,
    white_level: Annotated[
        float | None, typer.Option(min=1, help="Of a Bayer .png; default: the training data's.")
    ] = None,
    depth: Annotated[
        Path | None, typer.Option(help="A grey depth map, near is bright, for networks with depth.")
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Of the network's input; default: what it was made for."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Render a photograph of any size with an exported network.

    Large frames are run in tiles, to the same picture as in one piece. Where the network takes
    means over the whole frame, these are computed of all tiles first.
    """
    from search.export.record import read_bundle
    from search.render.render import render_photo

    done = render_photo(
        read_bundle(bundle),
        photo,
        output,
        precision=precision,
        pattern=pattern,
        black_level=black_level,
        white_level=white_level,
        depth=depth,
        largest=_size(tile) if tile else None,
    )
    if as_json:
        print(json.dumps({"output": str(output), **asdict(done)}, indent=2))
    else:
        print(_summary(output, done))


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise UserError(f"--tile {text!r} is no size: write rows and columns as in 544x960")
    return int(match[1]), int(match[2])


def _summary(output: Path, done: Rendered) -> str:
    return "\n".join(
        [
            done.note,
            f"{output}: {done.width} x {done.height}, {done.seconds:.1f} s, "
            f"{done.peak_mib:.0f} MiB of memory at most",
            _how(done),
        ]
    )


def _how(done: Rendered) -> str:
    height, width = done.tile
    how = "run whole, in one piece"
    if done.tiles > 1:
        how = f"{done.tiles} tiles of {height} x {width} network pixels, neighbours share "
        how += f"{max(done.overlap)}"
    if done.passes > 1:
        how += f"; {done.passes} passes, for means over the whole frame are taken first"
    if any(done.added):
        rows, columns = done.added
        how += f"; {rows} rows and {columns} columns mirrored at the end, for its strides"
    return how

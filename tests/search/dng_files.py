"""DNG files as a phone's camera application writes them: one strip, not compressed."""

import tifffile

CODES = {"R": 0, "G": 1, "B": 2}


def write_dng(
    path,
    mosaic,
    pattern="RGGB",
    black=(64, 64, 64, 64),
    white=1023,
    gains=(2.0, 1.0, 1.6),
    orientation=1,
    compression=None,
):
    """A DNG of a mosaic [H, W] uint16. `black`: of the pixels of a cell, in reading order.

    `gains`: None for a file that says no white balance.
    """
    matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    tags = [
        (274, "H", 1, (orientation,), True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, bytes(CODES[colour] for colour in pattern), True),
        (50706, "B", 4, bytes([1, 4, 0, 0]), True),
        (50708, "s", 0, "Test Camera", True),
        (50713, "H", 2, (2, 2), True),
        (50714, "H", 4, tuple(black), True),
        (50717, "H", 1, (white,), True),
        (50721, "2i", 9, _rationals(matrix), True),
        (50778, "H", 1, (21,), True),
    ]
    if gains is not None:
        tags.append((50728, "2I", 3, _rationals([1 / gain for gain in gains]), True))
    colour_filter_array = 32803
    tifffile.imwrite(
        path, mosaic, photometric=colour_filter_array, extratags=tags, metadata=None,
        compression=compression,
    )  # fmt: skip


def _rationals(values):
    return [part for value in values for part in (round(value * 10_000), 10_000)]

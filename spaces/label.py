"""`label`: an architecture in one readable line, for tables and plots."""

from __future__ import annotations

from collections.abc import Mapping

from .architecture import Architecture, Value
from .unet import UNET_SPACES, Level, filters_of, finish_of, level_of


def label(architecture: Architecture) -> str:
    """A short text that tells architectures of one space apart.

    Of a UNet space: packing, stem, levels (x stacks), widths and numbers of blocks from
    level 0 down, the block (of level 0/of those below), down-/up-sampling, skips, attention,
    and the activation, followed by what differs from the plain case:

        p1 conv3 L2 w12-24-32 c1-2-1 strided/transposed add ca:110 relu +linear
        p1 conv3 L1 w12-24 c1-2 conv3/naf haar/haar add eca,none relu in:sobel +gains

    Where attention is the channels' everywhere, "ca:" says at which levels. A published system
    is called by its name; any other space is written out as name=value.
    """
    choices = architecture.choices
    if architecture.space in UNET_SPACES:
        return " ".join(_unet_words(choices))
    if architecture.space == "zoo":
        return str(choices.get("system", "?"))
    return " ".join(f"{name}={value}" for name, value in architecture.items)


def _unet_words(choices: Mapping[str, Value]) -> list[str]:
    levels = [level_of(choices, i) for i in range(int(choices["levels"]) + 1)]
    stem = choices["stem"] if "stem" in choices else choices["stem_packed"]
    words = [f"p{choices['packing']}", str(stem), f"L{choices['levels']}"]
    if choices.get("stacks", 1) != 1:
        words[-1] += f"x{choices['stacks']}"
    words.append("w" + "-".join(str(level.width) for level in levels))
    words.append("c" + "-".join(str(level.count) for level in levels))
    # Level 0 and the first below it: there are no more blocks than two.
    blocks = list(dict.fromkeys(level.block for level in levels[:2]))
    if blocks != ["conv3"]:
        words.append("/".join(blocks))
    if choices["levels"]:
        skip = "no-skip" if choices["skip"] == "none" else str(choices["skip"])
        words += [f"{choices['down']}/{choices['up']}", skip]
    words += _attention_words(levels)
    words.append(str(choices["activation"]))
    if choices["stem_activation"] != "same":
        words.append(f"stem:{choices['stem_activation']}")
    if filters_of(choices) != "none":
        words.append(f"in:{filters_of(choices)}")
    if choices["head"] != "conv3":
        words.append(f"head:{choices['head']}")
    if choices["global_path"] != "none":
        words.append(f"+{choices['global_path']}")
    return words + [f"+{step}" for step in finish_of(choices)]


def _attention_words(levels: list[Level]) -> list[str]:
    names = [level.attention for level in levels]
    if set(names) == {"none"}:
        return []
    if set(names) <= {"none", "channel"}:
        return ["ca:" + "".join("0" if name == "none" else "1" for name in names)]
    return [",".join(names)]

"""`label`: an architecture in one readable line, for tables and plots."""

from __future__ import annotations

from collections.abc import Mapping

from .architecture import Architecture, Value

_UNET_SPACES = ("unet_isp", "unet_bokeh")


def label(architecture: Architecture) -> str:
    """A short text that tells architectures of one space apart.

    Of a UNet space: packing, stem, levels (x stacks), widths and convolutions from
    level 0 down, down-/up-sampling, skips, the levels with channel attention, and
    the activation, followed by what differs from the plain case:

        p1 conv3 L2 w12-24-32 c1-2-1 strided/transposed add ca:110 relu +linear

    A published system is called by its name; any other space is written out as name=value.
    """
    choices = architecture.choices
    if architecture.space in _UNET_SPACES:
        return " ".join(_unet_words(choices))
    if architecture.space == "zoo":
        return str(choices.get("system", "?"))
    return " ".join(f"{name}={value}" for name, value in architecture.items)


def _unet_words(choices: Mapping[str, Value]) -> list[str]:
    levels = range(int(choices["levels"]) + 1)
    stem = choices["stem"] if "stem" in choices else choices["stem_packed"]
    words = [f"p{choices['packing']}", str(stem), f"L{choices['levels']}"]
    if choices.get("stacks", 1) != 1:
        words[-1] += f"x{choices['stacks']}"
    words.append("w" + "-".join(str(choices[f"width_{i}"]) for i in levels))
    words.append("c" + "-".join(str(choices[f"convs_{i}"]) for i in levels))
    if choices["conv"] != "conv3":
        words.append(str(choices["conv"]))
    if choices["levels"]:
        skip = "no-skip" if choices["skip"] == "none" else str(choices["skip"])
        words += [f"{choices['down']}/{choices['up']}", skip]
    attention = "".join("1" if choices[f"attention_{i}"] else "0" for i in levels)
    if "1" in attention:
        words.append(f"ca:{attention}")
    words.append(str(choices["activation"]))
    if choices["stem_activation"] != "same":
        words.append(f"stem:{choices['stem_activation']}")
    if choices["head"] != "conv3":
        words.append(f"head:{choices['head']}")
    if choices["global_path"] != "none":
        words.append(f"+{choices['global_path']}")
    return words

"""Scenes with known depth, photographed wide open and stopped down: the bokeh generator.

Subjects cut out of photographs stand before a slanted background. A thin lens blurs a point of
inverse depth d (diopters, here normalised) to a disc of radius

    c = (MAX_RADIUS at f/1.8) * |d - d_focus| * (1.8 / f-number)

so f/16 blurs 1.8/16 as much as f/1.8. Everything happens in linear light, back to front, each
layer blurred together with its coverage, so a blurred edge lets the background through and a
sharp subject is not smeared into it. Depth, shapes and lens are invented; light is real.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from search.data.filters import disc_kernel, fft_margin, frame_radius, kernel_spectrum

Floats = npt.NDArray[np.floating[Any]]
Spectrum = npt.NDArray[np.complexfloating[Any, Any]]
Image8 = npt.NDArray[np.uint8]
BlurInput = tuple[Spectrum, float]
"""Spectrum [4, H, W/2 + 1] of premultiplied colour and coverage, and its inverse depth."""

WIDE_OPEN, STOPPED_DOWN = 1.8, 16.0
MAX_RADIUS_OF_FRAME = 0.04
"""Largest disc radius at f/1.8 as a part of the frame's side: 10.2 of 256 pixels."""
BACKGROUND_SLICES = 6
HIGHLIGHT_START, HIGHLIGHT_BOOST = 0.85, 3.0
VIGNETTING_RANGE = (0.05, 0.2)
SHIFT_STD_PX = 0.35
LENS_SIGMA_PX = 0.45
SUBJECT_IN_FOCUS = 0.85
GAMMA = np.float32(2.2)
_LINEAR_OF_BYTE = (np.arange(256, dtype=np.float32) / 255) ** GAMMA


@dataclass(frozen=True)
class Layer:
    """Something opaque at one inverse depth: `colour` [3, H, W] linear, `coverage` [H, W] 0..1."""

    colour: Floats
    coverage: Floats
    inverse_depth: float


@dataclass(frozen=True)
class Scene:
    """A background with an inverse depth per pixel, and layers before it, far to near.

    Inverse depths are 0 (far) .. 1 (near). Arrays are square and include a margin around the
    visible frame. `shift`: (down, right) in pixels of the f/1.8 image against the f/16 one.
    `vignetting`: loss of light in the corners at f/1.8.
    """

    background: Floats
    background_depth: Floats
    layers: tuple[Layer, ...]
    focus: float
    shift: tuple[float, float]
    vignetting: float
    margin: int


def render_pair(
    photo: Image8, read_other: Callable[[], Image8], size: int, rng: np.random.Generator
) -> tuple[Image8, Image8, Image8]:
    """[size, size, 3] uint8 images at f/16 (input) and f/1.8 (target), and the `depth_map`.

    `photo` is the background; `read_other` gives a photograph for a subject's texture.
    """
    scene = draw_scene(photo, read_other, size, rng)
    slices, layers = slice_background(scene), layer_spectra(scene)
    return (
        render(scene, STOPPED_DOWN, slices, layers),
        render(scene, WIDE_OPEN, slices, layers),
        depth_map(scene),
    )


def depth_map(scene: Scene) -> Image8:
    """Inverse depth of what is seen in each pixel, [size, size] uint8: 0 is far, 255 near."""
    depth = scene.background_depth
    for layer in scene.layers:
        depth = depth + layer.coverage * (np.float32(layer.inverse_depth) - depth)
    visible = depth[scene.margin : -scene.margin, scene.margin : -scene.margin]
    return np.rint(255 * np.clip(visible, 0, 1)).astype(np.uint8)


def draw_scene(
    photo: Image8, read_other: Callable[[], Image8], size: int, rng: np.random.Generator
) -> Scene:
    """Draw textures, shapes, depths and focus; the nearest subject is mostly the one in focus."""
    margin = fft_margin(size, int(np.ceil(MAX_RADIUS_OF_FRAME * size)) + 4)
    side = size + 2 * margin
    count = int(rng.integers(1, 4))
    depths = np.sort(rng.uniform(0.45, 1.0, count))
    layers = tuple(
        Layer(
            colour=_texture(read_other(), side, rng),
            coverage=_shape(side, size, centred=index == count - 1, rng=rng),
            inverse_depth=float(depth),
        )
        for index, depth in enumerate(depths)
    )
    down, right = np.clip(rng.normal(0, SHIFT_STD_PX, 2), -1, 1)
    return Scene(
        background=_texture(photo, side, rng),
        background_depth=_slanted_plane(side, rng),
        layers=layers,
        focus=float(depths[-1] if rng.uniform() < SUBJECT_IN_FOCUS else rng.uniform(0, 0.4)),
        shift=(float(down), float(right)),
        vignetting=float(rng.uniform(*VIGNETTING_RANGE)),
        margin=margin,
    )


def layer_spectra(scene: Scene) -> list[BlurInput]:
    """The layers as `render` needs them; the same for every f-number."""
    return [
        (_spectrum(layer.colour, layer.coverage), layer.inverse_depth) for layer in scene.layers
    ]


def slice_background(scene: Scene) -> list[BlurInput]:
    """The background as soft depth slices, as `render` needs it; the same for every f-number."""
    depth = scene.background_depth
    centres = np.linspace(depth.min(), depth.max() + 1e-3, BACKGROUND_SLICES, dtype=np.float32)
    weights = slice_weights(depth, centres)
    return [
        (_spectrum(scene.background, weight), float(centre))
        for weight, centre in zip(weights, centres, strict=True)
    ]


def render(
    scene: Scene, f_number: float, slices: list[BlurInput], layers: list[BlurInput]
) -> Image8:
    """Photograph a scene: [size, size, 3] uint8, display values."""
    side = scene.background_depth.shape[0]
    full_radius = MAX_RADIUS_OF_FRAME * (side - 2 * scene.margin) * WIDE_OPEN / f_number
    wide_open = f_number == WIDE_OPEN
    lens = _lens_spectrum(side, scene.shift if wide_open else (0.0, 0.0))

    def blurred(part: BlurInput) -> Spectrum:
        spectrum, inverse_depth = part
        kernel = disc_kernel(full_radius * abs(inverse_depth - scene.focus))
        return spectrum * (kernel_spectrum(kernel, (side, side)) * lens)

    # A surface of varying depth: the sum of its blurred slices over the sum of their weights.
    total = _image(np.sum([blurred(part) for part in slices], axis=0), side)
    light = total[:3] / np.maximum(total[3], 1e-3)
    for part in layers:
        layer = _image(blurred(part), side)
        light = layer[:3] + light * (1 - np.clip(layer[3], 0, 1))

    visible = light[:, scene.margin : -scene.margin, scene.margin : -scene.margin]
    if wide_open:
        visible = visible * (1 - scene.vignetting * frame_radius(*visible.shape[1:]) ** 2)
    display = 255 * np.clip(visible, 0, 1) ** (1 / GAMMA)
    return np.ascontiguousarray(np.rint(display).astype(np.uint8).transpose(1, 2, 0))


def slice_weights(inverse_depth: Floats, centres: Floats) -> Floats:
    """Share of each pixel in each depth slice: [H, W] -> [slices, H, W], sum 1.

    Tent functions between the slices' centres: with hard slices the blur would change in steps
    and leave seams.
    """
    nearness = 1 - np.abs(inverse_depth - centres[:, None, None]) / (centres[1] - centres[0])
    weights: Floats = np.maximum(nearness, 0)
    return weights


def _spectrum(colour: Floats, coverage: Floats) -> Spectrum:
    """Real FFT of the premultiplied colour [3, H, W] with the coverage as a fourth channel."""
    return np.fft.rfft2(np.concatenate([colour * coverage, coverage[None]]))


def _image(spectrum: Spectrum, side: int) -> Floats:
    return np.fft.irfft2(spectrum, s=(side, side))


def _lens_spectrum(side: int, shift: tuple[float, float]) -> Spectrum:
    """Transfer function of the sharp lens (a Gaussian) with a sub-pixel shift."""
    rows = np.fft.fftfreq(side)[:, None]
    columns = np.fft.rfftfreq(side)[None, :]
    blur = np.exp(-2 * (np.pi * LENS_SIGMA_PX) ** 2 * (rows**2 + columns**2))
    phase = np.exp(-2j * np.pi * (rows * shift[0] + columns * shift[1]))
    return (blur * phase).astype(np.complex64)


def _texture(photo: Image8, side: int, rng: np.random.Generator) -> Floats:
    """A random part of a photograph, [3, side, side], linear light, bright spots boosted.

    A photograph clips lamps and reflections at white; they are brighter than that, and only
    then do they blur to the discs that bokeh is named for.
    """
    height, width = photo.shape[:2]
    cut = int(min(height, width) * rng.uniform(0.5, 1.0))
    top, left = int(rng.integers(height - cut + 1)), int(rng.integers(width - cut + 1))
    part = photo[top : top + cut, left : left + cut]
    if rng.uniform() < 0.5:
        part = part[:, ::-1]
    resized = Image.fromarray(np.ascontiguousarray(part)).resize(
        (side, side), Image.Resampling.BOX if cut > 2 * side else Image.Resampling.BICUBIC
    )
    linear = _LINEAR_OF_BYTE[np.asarray(resized).transpose(2, 0, 1)]
    brightness = linear.min(axis=0)
    excess = np.clip((brightness - HIGHLIGHT_START) / (1 - HIGHLIGHT_START), 0, 1)
    boosted: Floats = linear * (1 + np.float32(HIGHLIGHT_BOOST - 1) * excess)
    return boosted


def _slanted_plane(side: int, rng: np.random.Generator) -> Floats:
    """Inverse depth of the background, [side, side] in 0..0.4: mostly nearer at the bottom."""
    angle = rng.normal(np.pi / 2, 0.4)
    axis = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    ramp = np.float32(np.sin(angle)) * axis[:, None] + np.float32(np.cos(angle)) * axis[None, :]
    middle, slope = rng.uniform(0.1, 0.2), rng.uniform(0.1, 0.3)
    plane: Floats = np.clip(np.float32(middle) + np.float32(slope) * ramp, 0, 0.4)
    return plane


def _shape(side: int, size: int, *, centred: bool, rng: np.random.Generator) -> Floats:
    """Coverage [side, side] of a rounded outline with a few lobes, edges one pixel soft."""
    spread = 0.08 if centred else 0.35
    row, column = side / 2 + size * rng.uniform(-spread, spread, 2)
    radius = size * (rng.uniform(0.18, 0.32) if centred else rng.uniform(0.08, 0.2))
    stretch, tilt = rng.uniform(0.6, 1.6), rng.uniform(0, np.pi)
    ys, xs = np.mgrid[:side, :side].astype(np.float32)
    ys, xs = ys - row, xs - column
    along = (np.cos(tilt) * xs + np.sin(tilt) * ys) * np.sqrt(stretch)
    across = (np.cos(tilt) * ys - np.sin(tilt) * xs) / np.sqrt(stretch)
    angle = np.arctan2(across, along)
    outline = np.ones_like(angle)
    for lobes in range(2, 6):
        outline += rng.normal(0, 0.25 / lobes) * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi))
    distance = np.hypot(along, across) - radius * np.maximum(outline, 0.3)
    coverage: Floats = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return coverage

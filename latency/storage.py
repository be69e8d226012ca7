"""Where the delegate keeps a tensor: in an image where it fits, else in a buffer.

After `SelectBestStorageType` in `delegates/gpu/common/task/storage_type_util.cc`: the fastest
storage of Adreno, Mali and PowerVR is a 2-D image, batch x width columns wide and height x
slices rows high. A tensor beyond the GPU's image limits goes to an image buffer or a plain one.
"""

from __future__ import annotations

from .gpu import Gpu
from .graph import Shape
from .kernel import Lowering, bhwc, slices

# Largest side of a 2-D image in texels, as the drivers report CL_DEVICE_IMAGE2D_MAX_HEIGHT.
# Mali's is assumed. Families that are not here keep everything in buffers anyway.
_MAX_IMAGE_SIDE = {"adreno": 16384, "mali": 65536, "powervr": 16384}


def max_image_side(gpu: Gpu) -> int | None:
    """Texels along the largest side of an image; None where tensors are not kept in images."""
    return _MAX_IMAGE_SIDE.get(gpu.family)


def image_size(shape: Shape) -> tuple[int, int]:
    """(width, height) in texels of four channels of the image that would hold a tensor."""
    n, h, w, c = bhwc(shape)
    return n * w, h * slices(c)


def too_large_for_image(shape: Shape, gpu: Gpu) -> bool:
    """Whether a tensor of `shape` must be kept in a buffer although `gpu` prefers images."""
    side = _MAX_IMAGE_SIDE.get(gpu.family)
    return side is not None and max(image_size(shape)) > side


def in_buffers(lowering: Lowering, gpu: Gpu) -> tuple[Shape, ...]:
    """Distinct shapes of the kernels' outputs that are too large for an image, tallest first."""
    shapes = {kernel.output_shape for kernel in lowering.kernels}
    found = [shape for shape in shapes if too_large_for_image(shape, gpu)]
    return tuple(sorted(found, key=image_size, reverse=True))

"""Run time of image networks on phone GPUs, predicted from their graph alone.

    from latency import LatencyOracle, read_tflite
    LatencyOracle("snapdragon-8-gen-1").predict(read_tflite("model.tflite")).ms

Imports neither TensorFlow nor NumPy until a file is read or a profile fitted.
"""

from typing import TYPE_CHECKING, Any

from .delegate import lower
from .gpu import Gpu
from .graph import Graph, GraphError, Op, Shape, Tensor
from .kernel import Fallback, Kernel, Lowering
from .oracle import KernelEstimate, LatencyEstimate, LatencyOracle
from .profile import DeviceProfile, device_names, load_profile, write_profile
from .profile_error import ProfileError
from .tflite import TFLiteError, read_tflite

if TYPE_CHECKING:
    from .fit import fit_profile

__all__ = [
    "DeviceProfile",
    "Fallback",
    "Gpu",
    "Graph",
    "GraphError",
    "Kernel",
    "KernelEstimate",
    "LatencyEstimate",
    "LatencyOracle",
    "Lowering",
    "Op",
    "ProfileError",
    "Shape",
    "TFLiteError",
    "Tensor",
    "device_names",
    "fit_profile",
    "load_profile",
    "lower",
    "read_tflite",
    "write_profile",
]


def __getattr__(name: str) -> Any:
    if name == "fit_profile":  # the only public name that needs NumPy
        from .fit import fit_profile

        return fit_profile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

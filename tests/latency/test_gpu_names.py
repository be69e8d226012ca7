"""Marketing names to what the delegate's heuristics need."""

import pytest

from latency import Gpu, GraphError
from latency.gpu_names import gpu_named


@pytest.mark.parametrize(
    ("name", "gpu"),
    [
        ("Adreno 730", Gpu("adreno", "7xx", 4, 128)),
        ("Qualcomm Adreno (TM) 640", Gpu("adreno", "6xx", 2, 128)),
        ("adreno 530", Gpu("adreno", "5xx", 1, 64)),
        ("Mali-G78 MP24", Gpu("mali", "valhall-2", 24)),
        ("Mali-G78 MP14", Gpu("mali", "valhall-2", 14)),
        ("ARM Mali-G76 MC4", Gpu("mali", "bifrost", 4)),
        ("Mali-T880", Gpu("mali", "midgard", 4)),
        ("PowerVR GE8320", Gpu("powervr", "ge8xxx", 1)),
        ("Apple A12 GPU", Gpu("apple", "a12", 4)),
        ("cpu", Gpu("cpu", "xnnpack", 1)),
    ],
)
def test_known_names(name, gpu):
    assert gpu_named(name) == gpu


@pytest.mark.parametrize("name", ["", "GeForce 4090", "Mali-G999", "Adreno", "Adreno 9000"])
def test_other_names_are_refused(name):
    with pytest.raises(GraphError, match="unknown"):
        gpu_named(name)

"""LPIPS against a plain NumPy computation, with random weights: no real ones are here."""

import numpy as np
import pytest

from search.errors import UserError
from search.training.lpips import LAYERS, SCALE, SHIFT, lpips_metric


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    rng = np.random.default_rng(0)
    arrays = {}
    for index, (kernel, channels, width) in enumerate(LAYERS, start=1):
        shape = (kernel, kernel, channels, width)
        arrays[f"conv{index}_kernel"] = rng.normal(scale=1 / kernel, size=shape) / channels**0.5
        arrays[f"conv{index}_bias"] = rng.normal(scale=0.1, size=width)
        arrays[f"linear{index}"] = rng.random(width)
    path = tmp_path_factory.mktemp("lpips") / "alex.npz"
    np.savez(path, **arrays)
    return path, arrays


def by_hand(image, arrays):
    """AlexNet's features in loops over output pixels, [H, W, 3] in [0, 1]."""
    x = (2 * image - 1 - np.array(SHIFT)) / np.array(SCALE)
    for index, (kernel, _, _) in enumerate(LAYERS, start=1):
        if index in (2, 3):
            h, w = ((side - 3) // 2 + 1 for side in x.shape[:2])
            x = np.array(
                [[x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((0, 1)) for j in range(w)]
                 for i in range(h)]
            )  # fmt: skip
        stride, reach = (4, 2) if index == 1 else (1, kernel // 2)
        padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)))
        h, w = ((side - kernel) // stride + 1 for side in padded.shape[:2])
        taps = arrays[f"conv{index}_kernel"]
        x = np.empty((h, w, taps.shape[3]))
        for i in range(h):
            for j in range(w):
                i0, j0 = i * stride, j * stride
                patch = padded[i0 : i0 + kernel, j0 : j0 + kernel]
                x[i, j] = np.tensordot(patch, taps, 3) + arrays[f"conv{index}_bias"]
        x = np.maximum(x, 0)
        yield x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10)


def test_the_distance_of_two_images(weights):
    path, arrays = weights
    first, second = np.random.default_rng(1).random((2, 1, 63, 67, 3), np.float32)
    expected = sum(
        np.mean(np.square(a - b) @ arrays[f"linear{index}"])
        for index, (a, b) in enumerate(
            zip(by_hand(first[0], arrays), by_hand(second[0], arrays), strict=True), start=1
        )
    )
    metric = lpips_metric(path)
    assert float(metric(first, second)[0]) == pytest.approx(expected, rel=1e-4)
    assert float(metric(first, first)[0]) == 0
    assert float(metric(second, first)[0]) == pytest.approx(expected, rel=1e-4)


def test_files_that_do_not_fit_are_named(weights, tmp_path):
    with pytest.raises(UserError, match="no file"):
        lpips_metric(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(UserError, match="cannot read"):
        lpips_metric(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", **{**weights[1], "linear3": np.zeros(5)})
    with pytest.raises(UserError, match=r"\(5,\) as linear3, not \(384,\)"):
        lpips_metric(tmp_path / "other.npz")

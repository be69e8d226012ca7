"""LPIPS against a plain NumPy computation and its authors' package, on a random AlexNet."""

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from search.errors import UserError
from search.training import lpips
from search.training.data import Validation
from search.training.evaluation import predict_images
from search.training.lpips import SCALE, SHIFT, SMALLEST_SIDE, lpips_metric, mean_lpips
from search.training.lpips_weights import LAYERS, read_lpips_weights
from spaces.ops.keras_backend import Network

OTHER_PYTHON = "LENSNAS_LPIPS_PYTHON"
"""Environment variable: a Python with lpips and PyTorch, where this one has neither."""


@pytest.fixture(scope="module")
def weights(lpips_file):
    with np.load(lpips_file) as arrays:
        return lpips_file, dict(arrays)


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


def python_with_lpips():
    """PyTorch and TensorFlow do not share a process: the authors' package has one of its own."""
    if OTHER_PYTHON in os.environ:
        return os.environ[OTHER_PYTHON]
    missing = [m for m in ("torch", "torchvision", "lpips") if not importlib.util.find_spec(m)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; {OTHER_PYTHON} may name another Python")
    return sys.executable


def documented_code():
    """What docs/losses.md has users run for the file of weights."""
    document = (Path(__file__).parents[3] / "docs" / "losses.md").read_text()
    code = document[document.index("    import lpips") :]
    return textwrap.dedent(code[: code.index("\n\n")])


def distorted_pairs():
    """Noise, blur, a shift and other colours, on a smooth image and on noise: 8 pairs."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:97, :130] / 97
    smooth = np.stack([0.5 + 0.4 * np.sin(7 * x + 3 * y + c) for c in range(3)], axis=-1)
    first, second = [], []
    for image in (smooth, rng.random(smooth.shape)):
        blurred = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1)) / 3
        noisy = np.clip(image + rng.normal(scale=0.01, size=image.shape), 0, 1)
        for other in (noisy, blurred, np.roll(image, 2, 1), image**1.1):
            first.append(image)
            second.append(other)
    return np.array(first, np.float32), np.array(second, np.float32)


def test_the_authors_package_finds_the_same(tmp_path):
    python, (first, second) = python_with_lpips(), distorted_pairs()
    np.savez(tmp_path / "pairs.npz", first=first, second=second)
    (tmp_path / "snippet.py").write_text(documented_code())
    reference = Path(__file__).with_name("lpips_reference.py")
    subprocess.run([python, reference, tmp_path, tmp_path / "snippet.py"], check=True)
    expected = np.load(tmp_path / "distances.npy")
    assert expected.min() > 0
    found = lpips_metric(tmp_path / "alex.npz")(first, second)
    np.testing.assert_allclose(found, expected, rtol=3e-5)


def test_the_smallest_images(weights):
    metric = lpips_metric(weights[0])
    rng = np.random.default_rng(3)
    first, second = rng.random((2, 1, SMALLEST_SIDE, SMALLEST_SIDE, 3), np.float32)
    assert 0 < metric(first, second)[0] < np.inf
    with pytest.raises(UserError, match="images of 30x31, under 31 pixels"):
        metric(first[:, 1:], second[:, 1:])


def test_the_mean_over_a_validation_set_whatever_the_batches(lpips_file, monkeypatch):
    rng = np.random.default_rng(4)
    inputs = rng.random((5, 40, 48, 3), np.float32)
    validation = Validation(inputs, rng.integers(0, 256, inputs.shape, np.uint8))
    model = Network(lambda ops, x: ops.conv(x, 3, init="random"), 3)
    target = validation.targets / np.float32(255)
    expected = lpips_metric(lpips_file)(target, predict_images(model, inputs)).numpy().mean()
    for pixels in (2**20, 2 * 40 * 48, 1):
        monkeypatch.setattr(lpips, "PIXELS_AT_A_TIME", pixels)
        assert mean_lpips(model, validation, lpips_file) == pytest.approx(expected, rel=1e-5)


def test_the_digest_is_of_the_weights(weights, tmp_path):
    path, arrays = weights
    (tmp_path / "same.npz").write_bytes(path.read_bytes())
    np.savez(tmp_path / "other.npz", **{**arrays, "linear1": arrays["linear2"][:64]})
    digests = [read_lpips_weights(p).digest for p in (path, *sorted(tmp_path.iterdir()))]
    assert digests[0] != digests[1]
    assert digests[0] == digests[2]


def test_files_that_do_not_fit_are_named(weights, tmp_path):
    arrays = weights[1]
    with pytest.raises(UserError, match="no file"):
        lpips_metric(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", **{**arrays, "linear3": np.zeros(5)})
    with pytest.raises(UserError, match=r"\(5,\) as linear3, not \(384,\)"):
        lpips_metric(tmp_path / "other.npz")
    np.savez(tmp_path / "less.npz", **{k: v for k, v in arrays.items() if k != "conv2_bias"})
    with pytest.raises(UserError, match="nothing as conv2_bias"):
        lpips_metric(tmp_path / "less.npz")
    np.savez(tmp_path / "nan.npz", **{**arrays, "linear1": np.full(64, np.nan)})
    with pytest.raises(UserError, match="values in linear1 that are not finite"):
        lpips_metric(tmp_path / "nan.npz")


@pytest.mark.parametrize("damage", ["text", "nothing", "half", "one bit", "one array", "folder"])
def test_files_that_are_no_weights_are_one_line(weights, tmp_path, damage):
    path, whole = tmp_path / "x.npz", bytearray(weights[0].read_bytes())
    if damage == "folder":
        path.mkdir()
    elif damage == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        whole[len(whole) // 2] ^= 1
        written = {"text": b"text", "nothing": b"", "half": whole[:-100_000], "one bit": whole}
        path.write_bytes(written[damage])
    with pytest.raises(UserError, match=r"LPIPS: cannot read .*x\.npz") as caught:
        lpips_metric(path)
    assert "\n" not in str(caught.value)

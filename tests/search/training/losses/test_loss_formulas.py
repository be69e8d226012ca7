"""Losses against independent implementations: TensorFlow's, scikit-image's, NumPy, by hand."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from skimage.metrics import structural_similarity

from search.training.losses import LOSSES
from search.training.losses.adversarial import (
    critic_loss,
    generator_loss,
    gradient_penalty,
    patch_discriminator,
)
from search.training.losses.bokeh import (
    background_blur_loss,
    edge_difference_loss,
    foreground_edge_loss,
    masked_loss,
)
from search.training.losses.transfer import feature_distillation_loss, reverse_gradient


def images(seed, side=32, count=2):
    return np.random.default_rng(seed).random((count, side, side, 3)).astype(np.float32)


def loss(name, target, prediction):
    return float(LOSSES[name](target, tf.constant(prediction)))


def test_ssim_is_scikit_images():
    target, prediction = images(0), images(0) * 0.7 + images(1) * 0.3
    expected = [
        structural_similarity(
            *pair, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, full=True,
        )[1][5:-5, 5:-5].mean()
        for pair in zip(target, prediction, strict=True)
    ]  # fmt: skip
    assert loss("ssim", target, prediction) == pytest.approx(1 - np.mean(expected), abs=1e-4)


def test_ms_ssim_is_tensorflows():
    target = images(0, 192)
    prediction = target * 0.8 + images(1, 192) * 0.2
    expected = tf.image.ssim_multiscale(target, prediction, 1.0).numpy().mean()
    assert loss("ms_ssim", target, prediction) == pytest.approx(1 - expected, abs=1e-4)


def test_ms_ssim_of_small_crops_has_fewer_scales():
    target = images(0, 64)
    prediction = target * 0.8 + images(1, 64) * 0.2
    weights = np.array([0.0448, 0.2856, 0.3001])
    weights *= (0.0448 + 0.2856 + 0.3001 + 0.2363 + 0.1333) / weights.sum()
    expected = tf.image.ssim_multiscale(target, prediction, 1.0, power_factors=weights)
    assert loss("ms_ssim", target, prediction) == pytest.approx(
        1 - expected.numpy().mean(), abs=1e-4
    )


def test_cosine_by_hand():
    red, gray = np.zeros((1, 2, 2, 3), np.float32), np.full((1, 2, 2, 3), 0.5, np.float32)
    red[..., 0] = 0.8
    assert loss("cosine", red, gray) == pytest.approx(1 - 1 / np.sqrt(3), abs=1e-6)
    assert loss("cosine", gray, gray * 0.3) == pytest.approx(0, abs=1e-6)


def test_histogram_by_numpy():
    target, prediction = images(0, 32), images(1, 32) ** 2

    def histogram(values):
        centres = np.linspace(0, 1, 64)
        counts = (1 / (1 + ((values[:, None] - centres) / 0.02) ** 2)).sum(0)
        return counts / counts.sum()

    expected = np.mean(
        [
            sum(
                np.abs(histogram(t[..., c].ravel()) - histogram(p[..., c].ravel())).sum()
                for c in range(3)
            )
            for t, p in zip(target.astype(float), prediction.astype(float), strict=True)
        ]
    )
    assert loss("histogram", target, prediction) == pytest.approx(expected, rel=1e-4)


def test_a_histogram_does_not_look_at_places():
    target = images(0, 32)
    assert loss("histogram", target, target[:, ::-1]) == pytest.approx(0, abs=1e-5)


def test_outlier_aware_by_numpy():
    target, prediction = images(0).astype(float), images(1).astype(float)
    error = prediction - target
    mean = error.mean((1, 2), keepdims=True)
    b = error.std((1, 2), keepdims=True) / np.sqrt(2)
    expected = ((1 - np.exp(-np.abs(error - mean) / b)) * np.abs(error)).mean()
    assert loss("outlier_aware", target, prediction) == pytest.approx(expected, rel=1e-6)


def test_stable_patches_weigh_ordinary_errors_fully():
    target = images(0)
    prediction = np.clip(target + np.random.default_rng(3).normal(0, 0.05, target.shape), 0, 1)
    prediction = prediction.astype(np.float32)
    assert loss("patch_stable", target, prediction) == pytest.approx(
        loss("l1", target, prediction), rel=1e-5
    )


def test_the_printed_patch_loss_refuses_what_is_not_finite():
    target = images(0)
    prediction = target + np.random.default_rng(3).normal(0, 0.05, target.shape).astype(np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="use outlier_aware"):
        LOSSES["patch_printed"](target, tf.constant(prediction))
    # Errors of variance 1 about a mean of 1: a factor of e^2.
    error = np.where(np.indices((1, 8, 8, 3)).sum(0) % 2, 0.0, 2.0).astype(np.float32)
    zeros = np.zeros_like(error)
    found = float(LOSSES["patch_printed"](zeros, tf.constant(error)))
    assert found == pytest.approx(np.exp(2), rel=1e-5)


def test_edges_are_scipys_sobel():
    target, prediction = images(0), images(1)
    difference = prediction - target
    expected = 0.0
    # One axis at a time: scipy's own Sobel would smooth over images and channels too.
    for axis, across in ((1, 2), (2, 1)):
        gradient = ndimage.correlate1d(difference, [-1, 0, 1], axis, mode="mirror")
        expected += np.abs(ndimage.correlate1d(gradient, [1, 2, 1], across, mode="mirror")).mean()
    assert loss("edge", target, prediction) == pytest.approx(expected, rel=1e-5)


def test_exposure_weights_by_numpy():
    def weights(x):
        gray = x.mean(-1)
        contrast = np.abs(
            np.stack([ndimage.laplace(plane, mode="mirror") for plane in gray.astype(float)])
        )
        spread = np.sqrt(((x - gray[..., None]) ** 2).mean(-1) + 1e-7)
        return contrast * spread * np.exp(-12.5 * (x - 0.5) ** 2).prod(-1)

    target, prediction = images(0), images(1)
    expected = np.abs(weights(target) - weights(prediction)).mean()
    assert loss("exposure_fusion", target, prediction) == pytest.approx(expected, rel=1e-4)


# -- bokeh --------------------------------------------------------------------


def step_edge():
    """Left half black, right half white, one image of 8 x 8; and a mask of all foreground."""
    image = np.zeros((1, 8, 8, 3), np.float32)
    image[:, :, 4:] = 1
    return image, np.ones((1, 8, 8, 1), np.float32)


def test_foreground_edges_of_a_step_by_hand():
    image, mask = step_edge()
    # x: |4| in the two columns at the edge. y: 0. Diagonals, inner rows: 1 + 2 and 2 + 1 in them.
    # Borders are mirrored, which leaves the x gradient as it is and makes each diagonal 4 * 1/2.
    x = 2 * 8 * 4
    found = -float(foreground_edge_loss(tf.constant(image), mask)) * 64 / 3
    diagonals = found - x
    inner = 2 * 6 * (3 + 3)
    assert inner <= diagonals <= inner + 2 * 2 * 8
    assert float(foreground_edge_loss(tf.constant(image), 0 * mask)) == 0


def test_the_masked_loss_wants_the_photograph_in_front_and_the_target_behind():
    photograph, target = images(0), images(1)
    mask = np.zeros((2, 32, 32, 1), np.float32)
    mask[:, :, :8] = 1
    wanted = np.where(mask == 1, photograph, target)
    assert float(masked_loss(target, tf.constant(wanted), photograph, mask)) == 0
    found = float(masked_loss(target, tf.constant(target), photograph, mask))
    assert found == pytest.approx(np.abs(target - photograph)[:, :, :8].mean() / 4, rel=1e-5)


def test_edge_difference_is_nothing_for_the_photograph_itself():
    photograph, mask = images(0), np.random.default_rng(1).random((2, 32, 32, 1), np.float32)
    assert float(edge_difference_loss(tf.constant(photograph), photograph, mask)) == 0
    blurred = ndimage.uniform_filter(photograph, (0, 5, 5, 0))
    assert float(edge_difference_loss(tf.constant(blurred), photograph, mask)) > 0.1


def test_background_blur_by_numpy():
    image, mask = images(0), np.random.default_rng(1).random((2, 32, 32, 1), np.float32)
    behind = image * (1 - mask)
    variation = sum(np.abs(np.diff(behind, axis=axis)).sum((1, 2, 3)) for axis in (1, 2))
    found = float(background_blur_loss(tf.constant(image), mask))
    assert found == pytest.approx(variation.mean() / 32**2, rel=1e-5)


# -- adversarial, domain, distillation ---------------------------------------


def linear_critic(x):
    """Its gradient is 2 / (H W C) everywhere."""
    return 2 * tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)


def test_gradient_penalty_of_a_linear_critic_by_hand():
    target, prediction = images(0, 4), images(1, 4)
    length = 2 / np.sqrt(4 * 4 * 3)
    found = float(gradient_penalty(linear_critic, target, tf.constant(prediction), seed=0))
    assert found == pytest.approx((length - 1) ** 2, rel=1e-5)
    scores = 2 * (prediction.mean() - target.mean())
    total = float(critic_loss(linear_critic, target, tf.constant(prediction), seed=0, penalty=3))
    assert total == pytest.approx(scores + 3 * (length - 1) ** 2, rel=1e-4)
    adversarial = float(generator_loss(linear_critic, tf.constant(prediction)))
    assert adversarial == pytest.approx(-2 * prediction.mean(), rel=1e-5)


def test_a_critic_learns_to_tell_bright_from_dark():
    tf.keras.utils.set_random_seed(0)
    critic = patch_discriminator(2, width=4)
    bright, dark = images(0, 16) * 0.2 + 0.8, images(1, 16) * 0.2
    assert critic(bright).shape == (2, 4, 4, 1)
    optimizer = tf.keras.optimizers.Adam(1e-2)
    losses = []
    for seed in range(12):
        with tf.GradientTape() as tape:
            found = critic_loss(critic, bright, tf.constant(dark), seed=seed)
        gradients = tape.gradient(found, critic.trainable_variables)
        optimizer.apply(gradients, critic.trainable_variables)
        losses.append(float(found))
    assert losses[-1] < losses[0]


def test_the_critics_loss_does_not_reach_the_generator():
    prediction = tf.Variable(images(1, 4))
    with tf.GradientTape() as tape:
        found = critic_loss(linear_critic, images(0, 4), prediction, seed=0)
    assert tape.gradient(found, prediction) is None


def test_reversed_gradients():
    x = tf.Variable([1.0, -2.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(reverse_gradient(x, 3.0) ** 2)
    assert float(y) == 5.0
    np.testing.assert_allclose(tape.gradient(y, x), [-6.0, 12.0])


def test_distillation_teaches_the_student_only():
    student = [tf.Variable(images(0, 4)), tf.Variable(images(1, 4))]
    teacher = [tf.Variable(images(2, 4)), tf.Variable(images(3, 4))]
    with tf.GradientTape() as tape:
        found = feature_distillation_loss(student, teacher)
    expected = sum(np.abs(s - t).mean() for s, t in zip(student, teacher, strict=True))
    assert float(found) == pytest.approx(expected, rel=1e-6)
    gradients = tape.gradient(found, [*student, *teacher])
    assert gradients[0] is not None
    assert gradients[2] is gradients[3] is None
    with pytest.raises(ValueError, match="shorter"):
        feature_distillation_loss(student, teacher[:1])

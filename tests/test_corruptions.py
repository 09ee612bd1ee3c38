"""Corrupted tasks: the same labels and splits, images worse by degrees, and noise that belongs to an image."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_world import extract, tiny_backbone, write_images

from diffred_core import datasets
from diffred_core.datasets import _corruptions
from diffred_core.datasets._corruptions import CORRUPTIONS, corrupt
from diffred_core.errors import InputError


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))


def picture(size: int = 32, seed: int = 0) -> Image.Image:
    """Return noise on a ramp, away from black and white."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(60, 180, size)[:, None, None]
    return Image.fromarray((ramp + rng.integers(-30, 30, (size, size, 3))).astype(np.uint8))


def numbers(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(float)


@pytest.mark.parametrize("size", [32, 128])
@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_severity_is_farther_from_the_image(kind: str, size: int) -> None:
    image = picture(size)
    far = [np.abs(numbers(corrupt(image, kind, s, name="a")) - numbers(image)).mean() for s in range(1, 6)]
    assert far[0] > 0.3
    assert all(a < b for a, b in pairwise(far))


def test_noise_belongs_to_the_image_and_not_to_the_order_of_reading() -> None:
    flat = Image.new("RGB", (64, 64), (128, 128, 128))
    first, again, other = (numbers(corrupt(flat, "noise", 3, name=name)) for name in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.05
    stronger = numbers(corrupt(flat, "noise", 5, name="a"))
    assert np.corrcoef(first.ravel(), stronger.ravel())[0, 1] > 0.99  # one pattern for all severities


@pytest.mark.parametrize(("size", "deviation"), [(64, 0.08), (65, 0.18)])
def test_noise_has_the_deviation_of_its_severity(size: int, deviation: float) -> None:
    flat = Image.new("RGB", (size, size), (128, 128, 128))
    x = numbers(corrupt(flat, "noise", 3, name="a")) / 255
    assert x.std() == pytest.approx(deviation, rel=0.03)
    assert x.mean() == pytest.approx(128 / 255, abs=0.01)


def test_contrast_shrinks_every_channel_towards_its_mean() -> None:
    image = picture()
    x = numbers(image)
    mean = x.mean((0, 1))
    np.testing.assert_allclose(numbers(corrupt(image, "contrast", 2, name="a")), 0.5 * (x - mean) + mean, atol=0.51)


def test_blur_is_a_gaussian_of_the_stated_width() -> None:
    sigma, radius = 1.0, 4
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    x = numbers(picture())
    for axis in (0, 1):
        wide = np.pad(x, [(radius, radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
        x = sum(w * wide.take(range(k, k + 32), axis=axis) for k, w in enumerate(weights))
    np.testing.assert_allclose(numbers(corrupt(picture(), "blur", 5, name="a")), x, atol=0.51)


def test_pixels_of_half_the_size_are_means_of_four() -> None:
    image = picture(128)  # severity 2 of the large constants halves the size
    x = numbers(image).reshape(64, 2, 64, 2, 3).mean((1, 3), keepdims=True)
    expected = np.broadcast_to(x, (64, 2, 64, 2, 3)).reshape(128, 128, 3)
    # Pillow halves one axis after the other and rounds each time
    np.testing.assert_allclose(numbers(corrupt(image, "pixelate", 2, name="a")), expected, atol=1.01)


def test_a_corrupted_task_keeps_labels_and_splits_and_is_another_one() -> None:
    clean, noisy = datasets.load("digits"), datasets.load("digits+noise:3")
    assert noisy.name == "digits+noise:3"
    assert (noisy.classes, noisy.sample_ids, noisy.input_size) == (clean.classes, clean.sample_ids, clean.input_size)
    assert torch.equal(noisy.y, clean.y)
    assert all(torch.equal(noisy.splits[split], clean.splits[split]) for split in clean.splits)
    assert "noise of severity 3 (Hendrycks and Dietterich 2019)" in noisy.source
    names = ("digits", "digits+noise:3", "digits+noise:4", "digits+blur:3")
    assert len({datasets.load(name).fingerprint for name in names}) == 4
    assert numbers(noisy.image(5)).std() != numbers(clean.image(5)).std()
    np.testing.assert_array_equal(numbers(noisy.image(5)), numbers(datasets.load("digits+noise:3", seed=1).image(5)))


def test_corruptions_follow_each_other_from_left_to_right() -> None:
    both = datasets.load("digits+contrast:3+noise:2", image_size=40)
    assert both.input_size == 40
    once = datasets.load("digits+contrast:3")
    expected = corrupt(once.image(7), "noise", 2, name=once.sample_ids[7])
    np.testing.assert_array_equal(numbers(both.image(7)), numbers(expected))


def test_a_folder_may_have_a_plus_in_its_name(tmp_path: Path) -> None:
    root = write_images(tmp_path / "a+b", n=5)
    assert datasets.load(f"folder:{root}").n_samples == 10
    worse = datasets.load(f"folder:{root}+pixelate:5")
    assert worse.n_samples == 10
    assert worse.fingerprint != datasets.load(f"folder:{root}").fingerprint


def test_features_of_a_corrupted_task_are_others(tmp_path: Path) -> None:
    task = f"folder:{write_images(tmp_path / 'pets', n=5)}"
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    found = [extract(backbone, datasets.load(name), split="test", engine="torch") for name in (task, f"{task}+blur:5")]
    assert found[0].key != found[1].key
    assert not torch.allclose(found[0].read(), found[1].read())


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            "digits+fog:3",
            r"unknown corruption 'fog' in task 'digits\+fog:3' \(known: noise, blur, contrast, pixelate",
        ),
        ("digits+nois:3", "unknown corruption 'nois' in task .*did you mean 'noise'"),
        ("digits+noise:6", r"expected a severity of 1 to 5 in task 'digits\+noise:6', got '6'; write for instance"),
        ("digits+noise:0", "expected a severity of 1 to 5"),
        ("digits+noise", r"got 'none'; write for instance digits\+noise:3"),
        ("digits+noise:x", "got 'x'"),
        ("digit+noise:3", "unknown task 'digit'"),
    ],
)
def test_a_corruption_that_is_none_is_refused(task: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        datasets.load(task)


def test_constants_grow_or_shrink_towards_worse() -> None:
    for _, large, small in CORRUPTIONS.values():
        for constants in (large, small):
            assert len(constants) == len(_corruptions.SEVERITIES)
            assert list(constants) in (sorted(constants), sorted(constants, reverse=True))

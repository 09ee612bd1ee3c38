"""Augmented views: each is fixed by its image and number, cropped as torchvision crops, kept like other features."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_world import MODEL, write_checkpoint, write_images
from torchvision.transforms import RandomResizedCrop

from diffred_core import backbones, datasets, features
from diffred_core.errors import InputError
from diffred_core.features import ViewRecipe, _views
from diffred_core.features._extract import Extractor

ROWS = torch.tensor([7, 0, 33, 12])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of images, a checkpoint, and the arguments that name them."""
    folder = tmp_path_factory.mktemp("world")
    checkpoint = write_checkpoint(folder / "w.safetensors")
    task = f"folder:{write_images(folder / 'pets', n=20)}"
    return {"model": MODEL, "task": task, "checkpoint": checkpoint, "image_size": 32, "progress": False}


@pytest.fixture
def load(world, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def views(root=tmp_path, **options):
        return features.Source(**world, root=root).views(**{"rows": ROWS, "n_views": 2, **options})

    return views


def photograph(size=(40, 28)):
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8))


def test_views_are_the_features_of_the_crops(world, load):
    found = load()
    assert found.shape == (4, 2, 256)
    dataset = datasets.load(world["task"], image_size=32)
    backbone = backbones.load(MODEL, checkpoint=world["checkpoint"], image_size=32)
    samples = torch.cat(list(dataset.splits.values()))[ROWS].tolist()
    for i, views in zip(samples, found, strict=True):
        for number, kept in enumerate(views, start=1):
            crop = ViewRecipe().apply(dataset.image(i), sample_id=dataset.sample_ids[i], view=number, size=32)
            pixels = torch.from_numpy(np.array(crop)).permute(2, 0, 1)[None]
            with torch.inference_mode():
                expected = backbone.features(backbone.normalised(pixels))[0]
            assert (kept - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (found[:, 0] - found[:, 1]).abs().max() > 1e-2 * found.abs().max()  # the two views differ
    assert (found[0] - found[1]).abs().max() > 1e-2 * found.abs().max()


def test_rows_are_places_in_the_rows_of_load(world, load, tmp_path):
    """A crop that is the whole image has the features of the plain image, if the network's own crop is the whole."""
    whole = load(crop_scale=(1.0, 1.0), n_views=1, rows=torch.arange(40))[:, 0]
    options = {key: value for key, value in world.items() if key not in ("model", "task")}
    overlay = {"pretrained_cfg_overlay": {"crop_pct": 1.0, "interpolation": "bicubic"}}
    plain = features.Source(MODEL, world["task"], root=tmp_path / "plain", model_args=overlay, **options).load()
    X, y = plain.together
    squares = ViewRecipe(crop_scale=(1.0, 1.0))
    assert torch.equal(y, torch.cat([labels for _, labels in plain.splits.values()]))
    # ratio 3/4 to 4/3 leaves no crop of the whole area but a square; any other ends as the whole image
    assert squares.apply(photograph((24, 24)), sample_id="a", view=1, size=32).size == (32, 32)
    assert (whole - X).abs().max() < 1e-3 * X.abs().max()
    assert (whole.roll(1, 0) - X).abs().max() > 1e-2 * X.abs().max()


def test_a_view_does_not_depend_on_what_else_is_asked_for(load, tmp_path):
    both = load()
    alone = load(n_views=1, rows=ROWS[2:3], root=tmp_path / "other")
    assert torch.equal(alone[0, 0], both[2, 0])
    more = load(n_views=3)
    assert torch.equal(more[:, :2], both)
    assert not torch.equal(load(view_seed=1)[:, 0], both[:, 0])


def test_more_views_extract_only_the_new_ones(load, tmp_path):
    load()
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("shard-*")}
    assert len(first) == 2
    load(n_views=3)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("shard-*")}
    assert len(after) == 3
    assert first.items() <= after.items()


def test_kept_views_need_no_network_and_a_lost_shard_is_made_again(load, tmp_path, monkeypatch):
    before = load()
    lost = next(tmp_path.rglob("shard-*"))
    lost.unlink()
    assert torch.equal(load(), before)
    monkeypatch.setattr(Extractor, "run", None)
    assert torch.equal(load(), before)
    lost.unlink()
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'begin'"):
        load()


@pytest.mark.parametrize("change", [{"crop_scale": (0.5, 1.0)}, {"flip": True}, {"colour": 0.4}, {"view_seed": 3}])
def test_the_recipe_is_part_of_the_key(load, change, tmp_path):
    load()
    load(**change)
    assert len(list(tmp_path.rglob("manifest.json"))) == 4


def test_views_leave_the_plain_features_alone(world, load, tmp_path):
    plain = features.Source(**world, root=tmp_path).load()
    load()
    again = features.Source(**world, root=tmp_path).load()
    assert plain.keys == again.keys
    assert torch.equal(plain.splits["test"][0], again.splits["test"][0])


def test_crops_are_spread_as_those_of_torchvision():
    size, scale, n = (60, 40), (0.3, 1.0), 4000
    draw = random.Random(0)
    ours = np.array([_views.crop_box(size, scale=scale, draw=draw) for _ in range(n)])
    image = Image.new("RGB", size)
    torch.manual_seed(0)
    theirs = np.array([RandomResizedCrop.get_params(image, scale, _views.RATIO) for _ in range(n)], float)
    areas = [(ours[:, 2] - ours[:, 0]) * (ours[:, 3] - ours[:, 1]), theirs[:, 2] * theirs[:, 3]]
    assert ours.min() >= 0
    assert ours[:, 2].max() <= 60
    assert ours[:, 3].max() <= 40
    for values in (areas, [ours[:, 0], theirs[:, 1]], [ours[:, 1], theirs[:, 0]]):
        # the fallback differs: torchvision takes the largest central crop of an allowed ratio, here the whole image
        error = sum(part.var() / n for part in values) ** 0.5
        assert abs(values[0].mean() - values[1].mean()) < 5 * error + 0.6


def test_flip_and_colour_change_what_they_say():
    image = photograph()
    options = {"sample_id": "a", "size": 32}
    plain = [np.array(ViewRecipe().apply(image, view=v, **options)) for v in range(20)]
    flipped = [np.array(ViewRecipe(flip=True).apply(image, view=v, **options)) for v in range(20)]
    mirrored = [np.array_equal(a[:, ::-1], b) for a, b in zip(plain, flipped, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(plain, flipped, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 3 < sum(mirrored) < 17
    coloured = np.array(ViewRecipe(colour=0.4).apply(image, view=0, **options))
    assert not np.array_equal(coloured, plain[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop_scale": (0.0, 1.0)}, r"crop_scale must be two growing shares .* got \(0.0, 1.0\)"),
        ({"crop_scale": (0.9, 0.3)}, "crop_scale must be two growing shares"),
        ({"crop_scale": (0.5,)}, "crop_scale must be two growing shares"),
        ({"colour": 1.5}, r"colour must be in \[0, 1\), got 1.5"),
        ({"n_views": 0}, "n_views must be at least 1, got 0"),
        ({"rows": torch.tensor([0, 40])}, r"rows must be places within 0..39 .* from 0 to 40"),
        ({"rows": torch.tensor([0.5])}, "rows must be places within 0..39"),
        ({"rows": torch.tensor([], dtype=torch.int64)}, "rows must be places within 0..39"),
    ],
)
def test_bad_options_are_named(load, options, message):
    with pytest.raises(InputError, match=message):
        load(**options)


def test_embeddings_have_no_views(tmp_path: Path):
    with pytest.raises(InputError, match="embeddings hold no images to crop; leave views out"):
        features.Source("any", f"embeddings:{tmp_path / 'x.npz'}").views()

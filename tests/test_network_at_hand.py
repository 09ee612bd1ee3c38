"""What is asked of a network itself: its Jacobian in random directions, and itself before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_world import MODEL, write_checkpoint, write_images

from diffred_core import backbones
from diffred_core.errors import InputError
from diffred_core.features import Source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("network")
    checkpoint = write_checkpoint(folder / "w.safetensors")
    task = f"folder:{write_images(folder / 'pets', n=20)}"
    return Source(MODEL, task, checkpoint=checkpoint, image_size=32, root=folder / "features", progress=False)


def test_tangents_are_the_jacobian_times_a_direction(source: Source) -> None:
    tangents, network = source.tangents(5, seed=3), source._request.backbone
    assert tangents.shape == (5, 256)
    draw, rows = torch.Generator().manual_seed(3), source._dataset.splits["test"]
    samples = rows[torch.randperm(len(rows), generator=draw)][:5]
    images = network.normalised(torch.stack([network.transform(source._dataset.image(i)) for i in samples.tolist()]))
    directions = torch.randn(images.shape, generator=torch.Generator().manual_seed(3))
    for image, direction, tangent in zip(images, directions, tangents, strict=True):
        _, expected = torch.autograd.functional.jvp(network.features, image[None], direction[None])
        torch.testing.assert_close(tangent, expected[0], rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    assert not torch.allclose(tangents, source.tangents(5, seed=4))
    assert torch.equal(tangents, source.tangents(5, seed=3))


def test_no_tangents_need_no_network_and_more_than_images_take_them_again(source: Source, tmp_path: Path) -> None:
    np.savez(tmp_path / "layer.npz", X=np.ones((4, 3)), y=np.arange(4) % 2)
    embeddings = Source("none", f"embeddings:{tmp_path / 'layer.npz'}")
    assert embeddings.tangents(0).shape[0] == 0
    assert len(source.tangents(len(source._dataset.splits["test"]) + 3)) == len(source._dataset.splits["test"]) + 3
    with pytest.raises(InputError, match="embeddings have no network; take 0 tangents"):
        embeddings.tangents(1)
    with pytest.raises(InputError, match="embeddings have no network to reset"):
        embeddings.untrained()
    with pytest.raises(InputError, match="n of at least 0, got -1"):
        source.tangents(-1)


def test_an_untrained_network_differs_in_its_weights_alone(source: Source) -> None:
    state = torch.random.get_rng_state()
    trained = source._request.backbone
    before = trained.weights_digest
    one, again, other = (backbones.untrained(trained, seed=seed) for seed in (0, 0, 1))
    assert one.weights_digest == again.weights_digest
    assert len({before, one.weights_digest, other.weights_digest}) == 3
    assert backbones.digest(trained.module.state_dict()) == before
    assert (one.preprocessing, one.n_features, one.input_size) == (trained.preprocessing, 256, 32)
    assert torch.equal(torch.random.get_rng_state(), state)
    convolution = next(m for m in one.module.modules() if isinstance(m, torch.nn.Conv2d))
    assert float(convolution.weight.std()) == pytest.approx((2 / convolution.weight[0].numel()) ** 0.5, rel=0.3)
    plain = backbones.from_module(torch.nn.Flatten(), name="none", input_size=4, mean=[0] * 3, std=[1] * 3)
    with pytest.raises(InputError, match="expected a network with parameters"):
        backbones.untrained(plain)


def test_features_of_an_untrained_source_are_kept_beside_those_of_the_trained_one(source: Source) -> None:
    trained, floor = source.load(), source.untrained().load()
    assert floor.model == f"{trained.model} untrained"
    assert floor.keys["test"] not in trained.keys.values()
    for split, (X, y) in floor.splits.items():
        assert torch.equal(y, trained.splits[split][1])
        assert not torch.allclose(X, trained.splits[split][0])
        assert float(X.std()) > 0

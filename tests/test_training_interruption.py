"""Training that is killed, or breaks off in the middle of an epoch, ends with the bits of one that is not."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffred_core import datasets, small_networks
from diffred_core.errors import InputError
from diffred_core.small_networks import Architecture, Images, TrainingObjective, TrainingRecipe

TINY = Architecture(depth=11, width=2)
# dropout, shift and flip draw from both generators; AdamW has moments
RECIPE = TrainingRecipe(epochs=3, batch_size=32, shift=1, flip=True, objective=TrainingObjective.named("dropout+koleo"))
STEPS = 10  # of an epoch of 323 images
KILLED = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from diffred_core import datasets, small_networks
from diffred_core.small_networks import Architecture, Images, TrainingObjective, TrainingRecipe
digits = Images.of(datasets.load("digits"), size=16).of_classes([0, 1, 2])
recipe = TrainingRecipe(epochs=3, batch_size=32, shift=1, flip=True, objective=TrainingObjective.named("dropout+koleo"))
augmented, calls = small_networks._train.augmented, []
def dying(*arguments):
    calls.append(0)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return augmented(*arguments)
small_networks._train.augmented = dying
small_networks.networks(digits, [Architecture(11, 2)], seeds=[5], recipe=recipe, root=sys.argv[1], progress=False)
"""


@pytest.fixture(scope="module")
def digits() -> Images:
    """Real digits of three classes at 16 pixels."""
    return Images.of(datasets.load("digits"), size=16).of_classes([0, 1, 2])


def kept(digits, root, **options):
    (network,) = small_networks.networks(digits, [TINY], seeds=[5], recipe=RECIPE, root=root, progress=False, **options)
    return network


@pytest.mark.parametrize("step", [STEPS + 4, 2 * STEPS + 1], ids=["middle of epoch 2", "first step of epoch 3"])
def test_a_killed_process_leaves_a_run_that_goes_on_to_the_same_bits(digits, tmp_path, step):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(step)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = (path for path in (tmp_path / "killed").rglob("*") if path.is_file())
    assert left.suffix == ".checkpoint"
    epochs = len(torch.load(left, weights_only=True)["losses"])
    assert epochs == (step - 1) // STEPS
    whole, resumed = kept(digits, tmp_path / "whole"), kept(digits, tmp_path / "killed")
    assert resumed.key == whole.key
    assert resumed.losses == whole.losses
    assert resumed.backbone.weights_digest == whole.backbone.weights_digest
    assert not list(tmp_path.rglob("*.checkpoint"))


@pytest.mark.parametrize("step", range(1, 3 * STEPS, 7))
def test_a_run_that_breaks_off_at_any_step_ends_alike(digits, tmp_path, monkeypatch, step):
    options = {"recipe": RECIPE, "seed": 5, "key": "k"}
    whole = small_networks.train(digits, TINY, recipe=RECIPE, seed=5)
    augmented, calls = small_networks._train.augmented, []

    def breaking(*arguments):
        calls.append(0)
        if len(calls) == step:
            raise KeyboardInterrupt
        return augmented(*arguments)

    monkeypatch.setattr(small_networks._train, "augmented", breaking)
    with pytest.raises(KeyboardInterrupt):
        small_networks.train(digits, TINY, checkpoint=tmp_path / "c", **options)
    before = len(calls)
    resumed = small_networks.train(digits, TINY, checkpoint=tmp_path / "c", **options)
    assert len(calls) - before == 3 * STEPS - (step - 1) // STEPS * STEPS  # whole epochs are not trained again
    assert resumed.losses == whole.losses
    state, expected = resumed.module.state_dict(), whole.module.state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_without_the_generators_the_end_would_be_another(digits, tmp_path):
    """The control: a run that goes on with generators at their start sees other images."""
    options = {"recipe": RECIPE, "seed": 5, "checkpoint": tmp_path / "c", "key": "k"}
    whole = small_networks.train(digits, TINY, **options | {"recipe": replace(RECIPE, epochs=3)})
    state = torch.load(tmp_path / "c", weights_only=True)
    small_networks.train(digits, TINY, **options | {"checkpoint": tmp_path / "other"})
    fresh = torch.Generator().manual_seed(5).get_state()
    torch.save(state | {"losses": state["losses"][:1], "order": fresh}, tmp_path / "c")
    assert small_networks.train(digits, TINY, **options).losses != whole.losses


def test_a_checkpoint_of_another_setting_is_refused(digits, tmp_path):
    options = {"recipe": RECIPE, "seed": 5, "checkpoint": tmp_path / "c"}
    small_networks.train(digits, TINY, key="a", **options)
    with pytest.raises(InputError, match=r"expected a checkpoint of the setting 'b' in .*c, got one of 'a'; remove it"):
        small_networks.train(digits, TINY, key="b", **options)
    small_networks.train(digits, TINY, key="a", **options)  # the control


def test_networks_of_different_settings_have_different_keys(digits, tmp_path):
    first = kept(digits, tmp_path)
    for recipe in (replace(RECIPE, epochs=2), replace(RECIPE, objective=TrainingObjective.named("dropout:0.4+koleo"))):
        (other,) = small_networks.networks(digits, [TINY], seeds=[5], recipe=recipe, root=tmp_path, progress=False)
        assert other.key != first.key


def test_a_checkpoint_cut_short_is_as_none(digits, tmp_path):
    options = {"recipe": RECIPE, "seed": 5, "checkpoint": tmp_path / "c", "key": "a"}
    whole = small_networks.train(digits, TINY, **options)
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:1000])
    assert small_networks.train(digits, TINY, **options).losses == whole.losses


def test_a_loss_that_explodes_stops_with_its_step_and_setting(digits):
    recipe = TrainingRecipe(epochs=2, batch_size=32, learning_rate=1e38, warmup=0, objective=TrainingObjective())
    with pytest.raises(
        InputError,
        match=r"finite training loss, got nan at step \d+ \(epoch 1\) of cross_entropy of vggm11-w2, seed 0; lower",
    ):
        small_networks.train(digits, TINY, recipe=recipe, seed=0)

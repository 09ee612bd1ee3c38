"""The domain-adversarial head: its reversed gradient, what it may not see, and a shift that it survives."""

from __future__ import annotations

import pytest
import torch

from diffred_core.errors import InputError
from diffred_core.small_networks import HeadRecipe, fit_domain_head
from diffred_core.small_networks._domain_head import DomainHead, _loss

QUICK = HeadRecipe(width=16, epochs=40, batch_size=32, learning_rate=0.05)


def domains(*, shift=3.0, n=256, seed=0):
    """Return source, its labels, target and its labels: classes lie alike, but three clues are moved by `shift`."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(2 * n) % 2
    sign = (2.0 * y - 1)[:, None]
    X = torch.randn(2 * n, 8, generator=draw)
    X[:, :3] += 1.2 * sign
    X[:, 3:6] = 0.4 * X[:, 3:6] + 0.5 * sign
    X[n:, 3:6] -= shift
    return X[:n], y[:n], X[n:], y[n:]


def test_the_gradient_of_the_domains_is_reversed_for_the_hidden_layer_alone():
    X, y, target, _ = domains()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = DomainHead(8, 2, width=4)
    gradients = {}
    for factor in (0.0, 1.0, 2.0, -1.0):
        head.zero_grad()
        _loss(head, X, y, target, factor=factor).backward()
        gradients[factor] = [head.hidden.weight.grad.clone(), head.domain.weight.grad.clone()]
    of_classes = gradients[0.0][0]
    domain = gradients[-1.0][0] - of_classes  # as plain backpropagation has it
    torch.testing.assert_close(gradients[1.0][0], of_classes - domain, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradients[2.0][0], of_classes - 2 * domain, rtol=1e-4, atol=1e-6)
    assert domain.abs().max() > 1e-3
    for own in gradients.values():
        torch.testing.assert_close(own[1], gradients[0.0][1], rtol=1e-5, atol=1e-7)  # the domain classifier learns


def test_without_strength_the_target_has_no_say_and_with_it_it_has():
    X, y, target, _ = domains()
    other = domains(shift=-5.0, n=100, seed=4)[2]
    plain = [fit_domain_head(X, y, rows, strength=0, recipe=QUICK) for rows in (target, other)]
    assert torch.equal(plain[0].hidden.weight, plain[1].hidden.weight)
    moved = [fit_domain_head(X, y, rows, strength=1, recipe=QUICK) for rows in (target, other)]
    assert not torch.equal(moved[0].hidden.weight, moved[1].hidden.weight)
    again = fit_domain_head(X, y, target, strength=1, recipe=QUICK)
    assert torch.equal(again.hidden.weight, moved[0].hidden.weight)
    assert not torch.equal(fit_domain_head(X, y, target, recipe=QUICK, seed=1).hidden.weight, again.hidden.weight)


def test_it_raises_accuracy_on_a_shifted_target_and_its_own_classifier_reads_the_domains_worse():
    X, y, target, held = domains(shift=1.5)
    labels = torch.cat([torch.zeros(len(X)), torch.ones(len(target))])
    read, accuracy = {}, {}
    for strength in (0.0, 1.0):
        head = fit_domain_head(X, y, target, strength=strength, recipe=QUICK)
        logits = head.domain(head.embed(torch.cat([X, target])))[:, 0]
        read[strength] = float(((logits > 0) == labels.bool()).double().mean())
        accuracy[strength] = float((head.predict(target) == held).double().mean())
        assert float((head.predict(X) == y).double().mean()) > 0.95
    assert read[0.0] > 0.95
    assert read[1.0] < read[0.0] - 0.05
    assert accuracy[1.0] > accuracy[0.0] + 0.1


def test_on_one_domain_there_is_nothing_to_gain():
    X, y, target, held = domains(shift=0.0)
    accuracy = [
        float((fit_domain_head(X, y, target, strength=s, recipe=QUICK).predict(target) == held).double().mean())
        for s in (0.0, 1.0)
    ]
    assert abs(accuracy[1] - accuracy[0]) < 0.05


def test_the_scale_and_offset_of_the_features_are_taken_off():
    X, y, target, _ = domains()
    plain, scaled = (fit_domain_head(a * X + b, y, a * target + b, recipe=QUICK) for a, b in ((1, 0), (100, 30)))
    same = (plain.predict(target) == scaled.predict(100 * target + 30)).double().mean()
    assert float(same) > 0.97


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": -1}, "strength of at least 0, got -1"),
        ({"n_classes": 1}, "labels below n_classes=1, got 1"),
        ({"recipe": HeadRecipe(batch_size=300)}, "at least 300 rows of either domain, a batch, got 256 and 256"),
        ({"target": torch.ones(256, 3)}, "target with 8 features as in the fit, got 3"),
    ],
)
def test_bad_input_is_named(options, message):
    X, y, target, _ = domains()
    with pytest.raises(InputError, match=message):
        fit_domain_head(X, y, options.pop("target", target), **options)


def test_a_recipe_without_steps_is_refused():
    with pytest.raises(InputError, match="epochs of a HeadRecipe must be above 0, got 0"):
        HeadRecipe(epochs=0)

"""CKA of a few subsets from rows: equal to the form with fourth moments, and chosen by cost."""

from __future__ import annotations

import pytest
import torch
from reference import cka_by_song

from diffred_core import cka, moments
from diffred_core.cka._rows import needs_no_quartic
from diffred_core.errors import InputError


def features(n: int = 60, d: int = 12) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    latent = torch.randn(n, 3, generator=draw, dtype=torch.float64) @ torch.randn(3, d, generator=draw).double()
    return latent + 0.3 * torch.randn(n, d, generator=draw, dtype=torch.float64) + 5


def drawn(s: int, d: int = 12) -> torch.Tensor:
    masks = torch.rand(s, d, generator=torch.Generator().manual_seed(s), dtype=torch.float64)
    return masks * (masks > 0.3)


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize(("s", "others"), [(3, None), (3, 2), (20, None), (20, 4)])
def test_few_and_many_subsets_equal_the_form_with_moments(s, others, debiased):
    X, masks, second = features(), drawn(s), None if others is None else drawn(others)
    expected = cka.subset_cka(moments.from_features(X), masks, second, debiased=debiased)
    torch.testing.assert_close(
        cka.subset_cka_rows(X, masks, second, debiased=debiased), expected, rtol=1e-9, atol=1e-12
    )
    other = cka.subset_cka_rows(X, masks, second, debiased=not debiased)
    assert (other - expected).abs().max() > 1e-3


def test_one_subset_equals_the_definition_at_any_scale():
    X, mask = features(), torch.zeros(1, 12, dtype=torch.bool)
    mask[0, [1, 4, 7]] = True
    expected = cka_by_song(X[:, [1, 4, 7]], X)
    for scale in (1e-6, 1.0, 1e6):
        assert float(cka.subset_cka_rows(X * scale, mask)) == pytest.approx(expected, rel=1e-9)
        assert float(cka.subset_cka_rows((X * scale).float(), mask)) == pytest.approx(expected, abs=1e-4)
    assert float(cka.subset_cka_rows(X, ~mask)) != pytest.approx(expected, abs=1e-3)


def test_gradients_reach_soft_masks():
    X, soft = features(), drawn(2).requires_grad_()
    cka.subset_cka_rows(X, soft).sum().backward()
    got, again = soft.grad.clone(), drawn(2).requires_grad_()
    cka.subset_cka(moments.from_features(X), again).sum().backward()
    torch.testing.assert_close(got, again.grad)
    assert got.abs().max() > 1e-3


def test_cost_decides():
    assert needs_no_quartic(10, 1280)
    assert not needs_no_quartic(1280, 1280)


def test_what_the_other_form_refuses_is_refused():
    X = features()
    with pytest.raises(InputError, match="expected at least 4 rows for debiased CKA, got 3"):
        cka.subset_cka_rows(X[:3], drawn(2))
    with pytest.raises(InputError, match="expected at least one feature in every subset"):
        cka.subset_cka_rows(X, torch.zeros(2, 12))
    X[:, 0] = 1.0
    with pytest.raises(InputError, match="expected features that vary from row to row, got none in masks 0"):
        cka.subset_cka_rows(X, torch.eye(12)[:1])

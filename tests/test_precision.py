"""Settings of the caller: off inside, back afterwards."""

import pytest
import torch

from diffred_core.cka import linear_cka
from diffred_core.moments import from_features
from diffred_core.precision import full_precision

_BACKENDS = (
    *(torch.backends.cuda.matmul, torch.backends.mkldnn.matmul),
    *(torch.backends.cudnn.conv, torch.backends.mkldnn.conv),
)


@pytest.fixture
def reduced():
    """The caller asks for the fastest products there are."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def test_reduced_precision_is_off_inside_and_back_after(reduced):
    before = [backend.fp32_precision for backend in _BACKENDS]
    assert "ieee" not in before  # the control: the fixture has switched something on
    with full_precision():
        assert [backend.fp32_precision for backend in _BACKENDS] == ["ieee"] * 4
    assert [backend.fp32_precision for backend in _BACKENDS] == before


def test_settings_come_back_after_an_error(reduced):
    before = [backend.fp32_precision for backend in _BACKENDS]
    with pytest.raises(KeyError), full_precision():
        raise KeyError
    assert [backend.fp32_precision for backend in _BACKENDS] == before


def test_tf32_and_autocast_of_the_caller_change_nothing(device):
    X = torch.randn(400, 48, generator=torch.Generator().manual_seed(0)).to(device)
    moments, cka = from_features(X), linear_cka(X[:, :5], X)
    few = linear_cka(X[:30, :5], X[:30])
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            plain = (X.T @ X).double()
            again, cka_again, few_again = from_features(X), linear_cka(X[:, :5], X), linear_cka(X[:30, :5], X[:30])
    finally:
        torch.set_float32_matmul_precision(before)
    exact = X.double().T @ X.double()
    assert ((plain - exact).abs().max() / exact.max()) > 1e-4  # the control: outside, autocast did bite
    assert torch.equal(again.gram, moments.gram)
    assert torch.equal(again.quartic, moments.quartic)
    assert cka_again == cka
    assert few_again == few

"""CKA of whole layers: against the n x n definitions, with what it must and must not notice."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import cka_by_centring, cka_by_song, kernel_cka_by_centring, kernel_cka_by_song

from diffred_core.cka import kernel_cka, layer_cka, linear_cka
from diffred_core.errors import InputError

TWIN = {True: cka_by_song, False: cka_by_centring}
KERNEL_TWIN = {True: kernel_cka_by_song, False: kernel_cka_by_centring}


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def related(n, d_x, d_y, *, seed=0, dtype=torch.float64):
    shared = normal(n, 3, seed=seed, dtype=dtype)
    X = shared @ normal(3, d_x, seed=seed + 1, dtype=dtype) + normal(n, d_x, seed=seed + 2, dtype=dtype)
    Y = shared @ normal(3, d_y, seed=seed + 3, dtype=dtype) + normal(n, d_y, seed=seed + 4, dtype=dtype)
    return X, Y


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "d_x", "d_y"), [(4, 2, 3), (5, 9, 2), (32, 7, 40), (32, 7, 4), (500, 300, 20)])
def test_linear_cka_equals_the_definition(device, n, d_x, d_y, dtype, debiased, tolerance):
    X, Y = (Z.to(device) for Z in related(n, d_x, d_y, dtype=dtype))
    want = torch.tensor(TWIN[debiased](X, Y)).double()
    got = torch.tensor(linear_cka(X + 3, Y - 5, debiased=debiased)).double()
    torch.testing.assert_close(got, want, **tolerance(X))


@pytest.mark.parametrize("n", [12, 60])  # both sides: n x n and d x d
@pytest.mark.parametrize("debiased", [True, False])
def test_layer_with_itself_is_one(n, debiased):
    X = normal(n, 20)
    assert linear_cka(X, X, debiased=debiased) == pytest.approx(1, abs=1e-13)
    assert linear_cka(X, normal(n, 20, seed=1), debiased=debiased) < 0.9


@pytest.mark.parametrize("n", [12, 60])
@pytest.mark.parametrize("debiased", [True, False])
def test_invariances_and_their_controls(n, debiased):
    X, Y = related(n, 20, 15)
    value = linear_cka(X, Y, debiased=debiased)

    def same(A, B):
        return linear_cka(A, B, debiased=debiased) == pytest.approx(value, abs=1e-10)

    rotation = torch.linalg.qr(normal(20, 20, seed=9)).Q
    rows = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    columns = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    assert same(X @ rotation, Y)
    assert same(X + 1e3 * normal(20, seed=3), Y)
    assert same(X[rows], Y[rows])
    assert same(X[:, columns], Y)
    assert same(Y, X)
    assert same(torch.cat([X, X], 1), Y)
    assert not same(X @ torch.diag(torch.linspace(0.1, 4, 20).double()), Y)  # invertible, not orthogonal
    assert not same(X[rows], Y)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("n", [20, 90])
def test_scale_changes_nothing_in_float32(n, scale):
    X = normal(n, 40, dtype=torch.float32)
    assert linear_cka(X, X * scale) == pytest.approx(1, abs=1e-6)


def test_independent_layers_give_zero_only_without_bias():
    values = {
        d: torch.tensor(
            [linear_cka(normal(60, 40, seed=s), normal(60, 40, seed=s + 99), debiased=d) for s in range(60)]
        )
        for d in (True, False)
    }
    error = float(values[True].std() / 60**0.5)
    assert abs(float(values[True].mean())) < 3 * error
    assert float(values[False].mean()) == pytest.approx(40 / (60 + 40), abs=0.03)


def test_debiased_value_can_be_negative_and_is_not_clipped():
    values = torch.tensor([linear_cka(normal(20, 5, seed=s), normal(20, 5, seed=s + 99)) for s in range(20)])
    assert float(values.min()) < -0.02
    assert float(values.max()) > 0.02


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 30), st.integers(1, 25), st.integers(1, 6), st.floats(1e-3, 1e3), st.integers(0, 999))
def test_cka_never_exceeds_one_and_equals_the_twin(n, d, rank, scale, seed):
    X = normal(n, rank, seed=seed) @ normal(rank, d, seed=seed + 1) * scale
    Y = torch.cat([X[:, : d // 2 + 1], X[:, :1], normal(n, 2, seed=seed + 2)], 1)  # a duplicate column
    for debiased in (True, False):
        value = linear_cka(X, Y, debiased=debiased)
        assert value <= 1 + 1e-9
        assert value == pytest.approx(TWIN[debiased](X, Y), abs=1e-6)


@pytest.mark.parametrize("n", [30, 10])
def test_all_pairs_equal_single_pairs(n):
    X, Y = related(n, 20, 15)
    layers = [X, Y, X[:, :3]]
    table = layer_cka(layers)
    for i, A in enumerate(layers):
        for j, B in enumerate(layers):
            assert float(table[i, j]) == pytest.approx(linear_cka(A, B), abs=1e-12)
    torch.testing.assert_close(layer_cka(layers[:1], layers[1:]), table[:1, 1:])
    # a layer of both lists is read once: as if it were two
    torch.testing.assert_close(layer_cka(layers, [Y]), layer_cka(layers, [Y.clone()]))


def test_what_has_no_value_is_refused():
    X = normal(10, 3)
    for call, sentence in (
        (lambda: linear_cka(X[:3], X[:3]), "at least 4 rows for debiased CKA, got 3"),
        (lambda: linear_cka(X[:1], X[:1], debiased=False), "at least 2 rows for biased CKA, got 1"),
        (lambda: linear_cka(X, X[1:]), r"row counts \[9, 10\]"),
        (lambda: linear_cka(X, torch.full((10, 2), 0.1)), "got none in layer 1"),
        (lambda: linear_cka(X[:, :1] * 0 + 7, X, debiased=False), "got none in layer 0"),
        (lambda: linear_cka(torch.eye(4), torch.eye(4)), "CKA is 0/0"),  # all rows equally far apart
        (lambda: linear_cka(X * float("nan"), X), r"expected finite values in layers\[0\], got NaN .* in 10 rows"),
        (lambda: linear_cka(X, X / 0), r"expected finite values in other_layers\[0\]"),
        (lambda: layer_cka([]), "at least one layer"),
        (lambda: layer_cka([X], []), "at least one layer"),
        (lambda: linear_cka(X[:, 0], X), r"layers\[0\] of shape"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()
    assert linear_cka(torch.eye(4), torch.eye(4), debiased=False) == pytest.approx(1)


@pytest.mark.parametrize("debiased", [True, False])
def test_kernel_cka_equals_the_definition(debiased):
    X, Y = related(15, 4, 6)
    K, L = (X @ X.T).tanh(), (Y @ Y.T + 1) ** 2
    assert kernel_cka(K, L, debiased=debiased) == pytest.approx(KERNEL_TWIN[debiased](K, L), abs=1e-12)


def test_kernel_cka_refuses_what_is_no_kernel():
    K = torch.eye(5) + 1
    for bad in (torch.arange(25.0).reshape(5, 5), torch.ones(5, 4)):
        for pair in ((K, bad), (bad, K)):
            with pytest.raises(InputError, match="to be a symmetric matrix"):
                kernel_cka(*pair)
    with pytest.raises(InputError, match="expected finite values in L, got NaN or infinity in 5 rows"):
        kernel_cka(K, K * float("nan"))


def test_many_rows_make_nothing_of_size_n_by_n():
    # 20,000 x 20,000 float64 would be 3.2 GB; X is 2.5 MB
    code = """
import resource, torch
from diffred_core.cka import linear_cka
X = torch.randn(20_000, 32)
linear_cka(X[:100], X[:100])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(linear_cka(X, X[:, :8]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    value, grown = done.stdout.split()
    assert float(value) == pytest.approx(0.5, abs=0.02)  # sqrt(8/32): no redundancy
    assert int(grown) < 100

"""The other similarities: against definitions, scipy and scikit-learn, with invariances and controls."""

import numpy as np
import pytest
import torch
from reference import (
    gaussian_kernel_by_pairs,
    kernel_cka_by_centring,
    kernel_cka_by_song,
    mutual_knn_by_sets,
)
from scipy.linalg import orthogonal_procrustes
from sklearn.cross_decomposition import CCA

from diffred_core.cka import linear_cka
from diffred_core.errors import InputError
from diffred_core.similarity import mutual_knn, procrustes_similarity, pwcca, rbf_cka, svcca

MEASURES = {
    "rbf_cka": rbf_cka,
    "procrustes": procrustes_similarity,
    "svcca": svcca,
    "pwcca": pwcca,
    "mutual_knn": mutual_knn,
}


def normal(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def related(n=80, d_x=6, d_y=5):
    shared = normal(n, 3)
    return (
        shared @ normal(3, d_x, seed=1) + 0.3 * normal(n, d_x, seed=2),
        shared @ normal(3, d_y, seed=3) + 0.3 * normal(n, d_y, seed=4),
    )


@pytest.mark.parametrize("name", MEASURES)
def test_rotation_scale_offset_and_rows_change_nothing(name, device):
    measure = MEASURES[name]
    X, Y = (Z.to(device) for Z in related())
    value = measure(X, Y)
    rotation = torch.linalg.qr(normal(6, 6, seed=9)).Q.to(device)
    rows = torch.randperm(80, generator=torch.Generator().manual_seed(0)).to(device)
    if name == "pwcca":  # its weights go by single features of the first layer, so only the second may turn
        assert abs(measure(X @ rotation, Y) - value) > 1e-4
        assert measure(Y, X @ rotation) == pytest.approx(measure(Y, X), abs=1e-9)
    else:
        assert measure(X @ rotation, Y) == pytest.approx(value, abs=1e-9)
    assert measure(X * 1e-4, Y * 1e4) == pytest.approx(value, abs=1e-9)
    assert measure(X + 7, Y - 3) == pytest.approx(value, abs=1e-9)
    assert measure(X[rows], Y[rows]) == pytest.approx(value, abs=1e-9)
    assert measure(X[rows], Y) < value - 0.1  # the control: rows that do not match


@pytest.mark.parametrize("name", MEASURES)
def test_layer_with_itself_is_one_and_with_noise_is_not(name):
    X, Y = related()
    assert MEASURES[name](X, X) == pytest.approx(1, abs=1e-9)
    assert MEASURES[name](X, normal(80, 5, seed=50)) < MEASURES[name](X, Y) - 0.1


@pytest.mark.parametrize("name", ["svcca", "pwcca"])
def test_canonical_correlations_ignore_invertible_maps_and_others_do_not(name):
    X, Y = related()
    options = {"variance": 1.0} if name == "svcca" else {}
    stretch = torch.diag(torch.tensor([9, 1, 1, 0.1, 2, 4], dtype=torch.float64)) @ normal(6, 6, seed=8)
    # pwcca takes its weights from the first layer, so the map goes on the second
    assert MEASURES[name](Y, X @ stretch, **options) == pytest.approx(MEASURES[name](Y, X, **options), abs=1e-9)
    for other in (rbf_cka, procrustes_similarity, mutual_knn):
        assert abs(other(Y, X @ stretch) - other(Y, X)) > 0.01


@pytest.mark.parametrize("debiased", [True, False])
def test_rbf_equals_the_definition(debiased):
    X, Y = related(n=18)
    K, L = gaussian_kernel_by_pairs(X, 0.7), gaussian_kernel_by_pairs(Y, 0.7)
    twin = kernel_cka_by_song if debiased else kernel_cka_by_centring
    assert rbf_cka(X, Y, bandwidth=0.7, debiased=debiased) == pytest.approx(twin(K, L), abs=1e-12)


def test_wide_rbf_is_linear_cka():
    X, Y = related()
    assert rbf_cka(X, Y, bandwidth=200.0) == pytest.approx(linear_cka(X, Y), abs=1e-3)
    assert abs(rbf_cka(X, Y, bandwidth=0.3) - linear_cka(X, Y)) > 0.02


def test_procrustes_equals_scipy():
    X, Y = (Z - Z.mean(0) for Z in related(d_x=5))
    _, total = orthogonal_procrustes(X.numpy(), Y.numpy())
    assert procrustes_similarity(X, Y) == pytest.approx(float(total / (X.norm() * Y.norm())), abs=1e-12)


def test_procrustes_is_the_same_on_either_side_of_n_less_than_d():
    X, Y = related(n=10, d_x=40, d_y=30)
    x, y = X - X.mean(0), Y - Y.mean(0)
    direct = torch.linalg.svdvals(x.T @ y).sum() / (x.norm() * y.norm())
    assert procrustes_similarity(X, Y) == pytest.approx(float(direct), abs=1e-12)


def test_svcca_equals_scikit_learn():
    X, Y = related(n=200, d_x=4, d_y=3)
    left, right = CCA(n_components=3, scale=False, max_iter=5000, tol=1e-12).fit_transform(X.numpy(), Y.numpy())
    correlations = [np.corrcoef(left[:, i], right[:, i])[0, 1] for i in range(3)]
    assert svcca(X, Y, variance=1.0) == pytest.approx(float(np.mean(correlations)), abs=1e-5)


def test_svcca_drops_the_components_beyond_the_variance():
    shared, noise = normal(300, 2), normal(300, 2, seed=3)
    X = torch.cat([shared * 10, noise * 0.01], 1)
    Y = torch.cat([shared * 10, normal(300, 2, seed=4) * 0.01], 1)
    assert svcca(X, Y, variance=0.99) == pytest.approx(1, abs=1e-4)
    assert svcca(X, Y, variance=1.0) < 0.7


def test_pwcca_weights_are_those_of_the_definition():
    X, Y = related(n=100, d_x=4, d_y=3)
    x, y = X - X.mean(0), Y - Y.mean(0)
    inverse_root = torch.linalg.inv(torch.linalg.cholesky(x.T @ x)).T
    other_root = torch.linalg.inv(torch.linalg.cholesky(y.T @ y)).T
    left, rho, _ = torch.linalg.svd(inverse_root.T @ x.T @ y @ other_root, full_matrices=False)
    variates = x @ inverse_root @ left
    alpha = [sum(abs(float(h @ feature)) for feature in x.T) for h in variates.T]
    want = sum(a * float(r) for a, r in zip(alpha, rho, strict=True)) / sum(alpha)
    assert pwcca(X, Y) == pytest.approx(want, abs=1e-10)
    assert abs(pwcca(X, Y) - float(rho.mean())) > 1e-3


@pytest.mark.parametrize("k", [1, 4, 19])
def test_mutual_knn_equals_sets(k):
    X, Y = related(n=20)
    assert mutual_knn(X, Y, k=k) == pytest.approx(mutual_knn_by_sets(X, Y, k))


def test_mutual_knn_of_unrelated_layers_is_chance():
    assert mutual_knn(normal(1500, 8), normal(1500, 8, seed=1), k=30) == pytest.approx(30 / 1499, abs=0.004)


def test_bad_input_is_refused():
    X, Y = related()
    for call, sentence in (
        (lambda: rbf_cka(X, Y, bandwidth=0), "bandwidth above 0, got 0"),
        (lambda: rbf_cka(X[:2].repeat(20, 1).sort(0).values[:25], Y[:25]), "median distance of 0"),
        (lambda: rbf_cka(X, Y[1:]), "got 80 and 79 rows"),
        (lambda: procrustes_similarity(X * 0 + 1, Y), "constant X"),
        (lambda: procrustes_similarity(X, Y * float("nan")), "NaN or infinity in Y"),
        (lambda: svcca(X, Y, variance=0.0), r"variance in \(0, 1\], got 0.0"),
        (lambda: svcca(normal(6, 20), normal(6, 3), variance=1.0), "got 5 components of 6 rows"),
        (lambda: pwcca(normal(6, 20), normal(6, 3)), "got 5 components of 6 rows"),
        (lambda: mutual_knn(X, Y, k=80), r"k from 1 to 79 \(n_samples - 1\), got 80"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()

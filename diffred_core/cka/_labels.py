"""How alike a layer and its labels are as kernels: CKA with the classes, and its uncentred sibling; from moments."""

from __future__ import annotations

import torch

from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments


@torch.no_grad()
def label_cka(moments: FeatureMoments) -> float:
    """Return the biased linear CKA of a layer with its one-hot labels: ``||Xc'Yc||^2 / (||Xc'Xc|| ||Yc'Yc||)``.

    It is the label alignment weighed by the spectrum: ``sum_i lam_i ||u_i'Yc||^2 / (||lam|| ||Yc'Yc||)`` (Kornblith et
    al. 2019, eq. 4).

    Parameters
    ----------
    moments : FeatureMoments
        With class sums.

    Returns
    -------
    float
        In [0, 1]. Commoner classes weigh more, by the squares of their numbers.

    Raises
    ------
    InputError
        Moments without class sums, rows of one class, or features that do not vary.
    """
    sums, counts = moments.class_totals
    share = counts / moments.n
    labels = moments.n * torch.linalg.matrix_norm(torch.diag(share) - torch.outer(share, share))
    return _cosine(sums.square().sum(), torch.linalg.matrix_norm(moments.gram), labels)


@torch.no_grad()
def kernel_target_alignment(moments: FeatureMoments) -> float:
    """Return the uncentred alignment of the kernel ``K = XX'`` with that of the labels, ``<K, T> / (||K|| ||T||)``.

    For two classes ``T = yy'`` with y = +1 and -1: ``y'Ky / (||y||^2 ||K||)`` (Cristianini et al. 2001; the alignment
    of Atanasov et al. 2022). For C classes T is 1 within a class and ``-1 / (C - 1)`` between two, which is that for
    C = 2. Not centred: a common offset of the features counts as similarity of all rows.

    Parameters
    ----------
    moments : FeatureMoments
        With class sums.

    Returns
    -------
    float
        In [-1, 1]; negative where the offset outweighs the classes, if these are unbalanced. Of balanced classes at
        least 0.

    Raises
    ------
    InputError
        Moments without class sums, rows of one class, or features that are all 0.
    """
    sums, counts = moments.class_totals
    n, n_classes, same = moments.n, len(counts), counts.square().sum()
    sums = sums + counts[:, None] * moments.mean
    gram = moments.gram + n * torch.outer(moments.mean, moments.mean)
    if n_classes < 2:
        raise InputError("expected moments of rows of at least two classes, got one class; add rows of another class")
    # T = (C YY' - 11') / (C - 1), without an n x n matrix
    product = (n_classes * sums.square().sum() - sums.sum(0).square().sum()) / (n_classes - 1)
    labels = (same + (n**2 - same) / (n_classes - 1) ** 2).sqrt()
    return _cosine(product, torch.linalg.matrix_norm(gram), labels)


def _cosine(product: torch.Tensor, features: torch.Tensor, labels: torch.Tensor) -> float:
    if not features > 0:
        raise InputError("expected features that vary, got a kernel that is 0; leave the layer out")
    if not labels > 0:
        raise InputError("expected moments of rows of at least two classes, got one class; add rows of another class")
    return float(product / features / labels)

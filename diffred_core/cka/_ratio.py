"""The last step of every CKA: a similarity over the root of two self-similarities, or a plain refusal."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.errors import InputError

# Self-similarity below this share of its own biased value is rounding of float32 products, not data. It is a limit
# for refusing, never added to anything: an epsilon in the denominator would break CKA(X, cX) = 1.
_ROUNDING = 1e-6


def check_rows(n: int, *, debiased: bool) -> None:
    """Refuse fewer rows than the estimator is defined for: 4 debiased (it divides by n - 3), else 2."""
    least = 4 if debiased else 2
    if n < least:
        raise InputError(
            f"expected at least {least} rows for {'debiased' if debiased else 'biased'} CKA, got {n}; pass more samples"
        )


def checked_self(similarity: Tensor, biased: Tensor, *, what: str) -> Tensor:
    """Return the square root of self-similarities.

    A self-similarity is the squared norm of a centred kernel, so it is zero only where the rows do not vary or,
    debiased, where all rows are equally far apart. CKA is then 0/0.

    Parameters
    ----------
    similarity, biased : Tensor of shape (n_items,)
        The self-similarities and their biased counterparts, which set the size of rounding errors.
    what : str
        Name of an item for the message.

    Raises
    ------
    InputError
        If one is zero, or negative or positive by rounding alone.
    """
    bad = ~(similarity.detach() > _ROUNDING * biased.detach())
    if bool(bad.any()):
        index = int(bad.nonzero()[0, 0])
        raise InputError(
            f"expected features that vary from row to row, got none in {what} {index}: its self-similarity is "
            f"{float(similarity.detach()[index]):.3g}, so CKA is 0/0; drop it, or choose features that are not constant"
        )
    return torch.sqrt(similarity)

"""The label-free choice of k dimensions against DADApy's differentiable information imbalance (2411.00851).

Ours: every map without labels fitted at k, and the one kept whose neighbours are nearest to those of all dimensions.
DADApy: backward greedy elimination down to k features, with its weights; what JAX compiles for it counts. Both see
the same rows and are scored on others, by recall@10.

DADApy 0.3 is built for numpy 1, so it runs in a process with libraries of its own, and times itself::

    pip install --target /some/folder dadapy "numpy<2"
    DADAPY_PATH=/some/folder python benchmarks/feature_selection.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _bench import Side, arguments, measure, report, rows_of
from sklearn.datasets import load_digits

from diffred_core import compression

N_FIT, K, NEIGHBOURS = 100, 16, 10
KINDS = ("top_variance", "first", "random_subset", "pca", "pca_uncentred", "pca_whitened", "random_projection")
PEER = """
import json, sys, time
import numpy as np
from dadapy import FeatureWeighting
X, k = np.load(sys.argv[1]).astype(float), int(sys.argv[2])
started = time.process_time()
data, target = (FeatureWeighting(coordinates=X, maxk=len(X) - 1, n_jobs=1) for _ in range(2))
_, weights = data.return_backward_greedy_dii_elimination(target_data=target)
seconds = time.process_time() - started
(chosen,) = [w for w in weights if np.count_nonzero(w) == k]
print(json.dumps({"seconds": seconds, "weights": np.asarray(chosen).tolist()}))
"""


def recall(full: torch.Tensor, kept: torch.Tensor) -> float:
    """Return recall@10 of the Euclidean neighbours of `full` among those of `kept`, rows against rows."""
    scores = [-torch.cdist(rows, rows).fill_diagonal_(torch.inf) for rows in (full, kept)]
    near = compression.top_k(scores[1], NEIGHBOURS)[1]
    return float(compression.neighbour_recall(scores[0], near, k=NEIGHBOURS).mean())


def ours(X: torch.Tensor, kinds: tuple[str, ...] = KINDS) -> compression.Reduction:
    """Return the map to k dimensions whose neighbours are best on the rows that it was fitted on."""
    maps = [m.prefix(K) for m in compression.fit_reductions(X, kinds=kinds, most=K).values()]
    return max(maps, key=lambda reduction: recall(X, reduction.apply(X)))


def peer(X: np.ndarray, folder: str) -> tuple[float, torch.Tensor]:
    """Return the processor seconds of DADApy's selection, and its weights."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "X.npy"
        np.save(file, X)
        environment = os.environ | {"PYTHONPATH": folder}
        command = [sys.executable, "-c", PEER, str(file), str(K)]
        answer = json.loads(subprocess.check_output(command, env=environment, text=True).splitlines()[-1])
    return answer["seconds"], torch.tensor(answer["weights"]).float()


def main() -> None:
    """Time both sides and write the table; without DADApy say how to bring it."""
    options = arguments(main.__doc__ or "", "feature_selection")
    folder = os.environ.get("DADAPY_PATH")
    if folder is None:
        print("DADApy is not there: pip install --target FOLDER dadapy 'numpy<2', and set DADAPY_PATH=FOLDER")
        return
    order = np.random.default_rng(0).permutation(1797)
    X = load_digits().data[order].astype(np.float32)
    X = X[:, X[:N_FIT].std(0) > 0]  # DADApy starts from weights of one over the spread
    fit, held = torch.from_numpy(X[:N_FIT]), torch.from_numpy(X[N_FIT:])
    sides = measure(
        [Side("best map", lambda: ours(fit), role="ours")], repeats=options.repeats, clock=time.process_time
    )
    seconds, weights = peer(X[:N_FIT], folder)
    sides.append(Side("DADApy backward greedy", lambda: None, seconds=[seconds]))
    subset = ours(fit, ("top_variance",))
    reached = {
        "recall at 10 of ours": recall(held, ours(fit).apply(held)),
        "by the top variances": recall(held, subset.apply(held)),
        "of DADApy": recall(held, held * weights),
    }
    facts = {"threads": options.threads} | {name: f"{value:.3f}" for name, value in reached.items()}
    claim = f"{K} of {X.shape[1]} dimensions of digits chosen without labels on {N_FIT} rows, best map {ours(fit).kind}"
    report(rows_of(claim, sides, unit="choice on one processor", **facts), options.csv)


if __name__ == "__main__":
    main()

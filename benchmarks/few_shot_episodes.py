"""Few-shot accuracy at 13 numbers of dimensions under 8 masks, against easyfsl's PrototypicalNetworks one at a time.

Ours: from cached features and views to all accuracies, importance, masks and order included. easyfsl: the same
features, episodes, masks and orders, given for free; each size and mask of an episode is one support set and one
forward pass. Then logistic heads, against scikit-learn's LogisticRegression one fit at a time.
"""

from __future__ import annotations

import warnings

import torch
from _bench import Side, arguments, measure, report, rows_of
from easyfsl.methods import PrototypicalNetworks
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from diffred_core import few_shot, soft_mask
from diffred_core.few_shot import Episodes

N_CLASSES, N_PER_CLASS, N_FEATURES, N_VIEWS = 20, 40, 1_280, 10
N_WAY, N_SHOT, N_QUERY, N_EPISODES = 5, 1, 15, 2_000
SIZES = [2, 3, 7, 13, 26, 39, 64, 128, 256, 384, 640, 960, 1_280]  # 0.1 to 100 %
KINDS = ["importance", "sqrt", "scaled", "inverse_spread", "mmc", "theory", "hard"]
SAMPLE = 10  # episodes that the peers are timed on
HEAD_EPISODES, L2 = 200, 0.2  # scikit-learn's C=1 at 5 supports


def synthetic_task() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Make features that few dimensions tell apart, and views of each row that differ from it a little."""
    gap, spread = few_shot.gaussian_problem(N_FEATURES, 64, seed=0)
    draw = torch.Generator().manual_seed(1)
    means = gap * torch.randn(N_CLASSES, N_FEATURES, generator=draw, dtype=gap.dtype)
    X, y = few_shot.gaussian_classes(means.float(), spread.float(), n_rows=N_PER_CLASS, seed=2)
    noise = 0.6 * spread.float() * torch.randn(len(X), N_VIEWS, N_FEATURES, generator=draw)
    return X, y, X[:, None] + noise


def masks_and_order(X: torch.Tensor, views: torch.Tensor, episodes: Episodes) -> tuple[torch.Tensor, torch.Tensor]:
    """Return masks ``(8, n_episodes, n_features)``, the first of ones, and the order by importance."""
    known = soft_mask.episode_statistics(X, episodes, views=views)
    R = soft_mask.importance(known)
    given = {"spread": known.spread, "magnitude": known.magnitude, "n_shot": episodes.n_shot, "fraction": 0.05}
    masks = torch.stack([torch.ones_like(R), *(soft_mask.mask(R, kind=kind, **given) for kind in KINDS)])
    return masks, R.argsort(-1, descending=True)


def ours(X: torch.Tensor, views: torch.Tensor, episodes: Episodes) -> torch.Tensor:
    """Return accuracies ``(8, n_episodes, 13)``."""
    masks, order = masks_and_order(X, views, episodes)
    return few_shot.centroid_curve(X, episodes, order, SIZES, mask=masks)


@torch.no_grad()
def easyfsl_accuracies(
    X: torch.Tensor, episodes: Episodes, masks: torch.Tensor, order: torch.Tensor, n: int
) -> torch.Tensor:
    """Return accuracies ``(8, n, 13)`` of the first n episodes, one support set and forward pass for each."""
    model = PrototypicalNetworks().eval()
    labels, truth = torch.arange(N_WAY).repeat_interleave(N_SHOT), torch.arange(N_WAY).repeat_interleave(N_QUERY)
    found = torch.zeros(len(masks), n, len(SIZES), dtype=torch.float64)
    for i in range(n):
        rows = X[torch.cat([episodes.support[i].flatten(), episodes.query[i].flatten()])]
        for m, mask in enumerate(masks[:, i].to(X)):
            support, query = (rows * mask).split([len(labels), len(truth)])
            for j, size in enumerate(SIZES):
                kept = order[i, :size]
                model.process_support_set(support[:, kept], labels)
                found[m, i, j] = (model(query[:, kept]).argmax(1) == truth).double().mean()
    return found


def scikit_learn_accuracies(
    X: torch.Tensor, episodes: Episodes, order: torch.Tensor, n: int, *, tol: float = 1e-4
) -> torch.Tensor:
    """Return accuracies ``(n, 13)`` of logistic regression on the first n episodes, one fit for each."""
    labels, truth = torch.arange(N_WAY).repeat_interleave(N_SHOT), torch.arange(N_WAY).repeat_interleave(N_QUERY)
    found = torch.zeros(n, len(SIZES), dtype=torch.float64)
    for i in range(n):
        support, query = X[episodes.support[i].flatten()], X[episodes.query[i].flatten()]
        for j, size in enumerate(SIZES):
            kept = order[i, :size]
            model = LogisticRegression(C=1 / (len(labels) * L2), max_iter=1000, tol=tol)
            model.fit(support[:, kept].numpy(), labels.numpy())
            found[i, j] = float((model.predict(query[:, kept].numpy()) == truth.numpy()).mean())
    return found


if __name__ == "__main__":
    options = arguments(__doc__, "few_shot_episodes")
    warnings.filterwarnings("error")
    threadpool_limits(options.threads)  # for the numpy and OpenMP of scikit-learn, as torch is held to them already
    X, y, views = synthetic_task()
    numbers = {"n_way": N_WAY, "n_shot": N_SHOT, "n_query": N_QUERY}
    episodes = few_shot.sample_episodes(y, **numbers, n_episodes=N_EPISODES, seed=0)
    masks, order = masks_and_order(X, views, episodes)
    there, views_there = X.to(options.device), views.to(options.device)

    found = ours(there, views_there, episodes).cpu()
    theirs = easyfsl_accuracies(X, episodes, masks, order, SAMPLE)
    first = Episodes(episodes.support[:SAMPLE], episodes.query[:SAMPLE], episodes.classes[:SAMPLE], 0)
    exact = few_shot.centroid_curve(X.double(), first, order[:SAMPLE], SIZES, mask=masks[:, :SAMPLE])
    exact_theirs = easyfsl_accuracies(X.double(), episodes, masks, order, SAMPLE)
    assert torch.allclose(exact, exact_theirs, rtol=0, atol=1e-12), (exact - exact_theirs).abs().max()
    assert (found[:, :SAMPLE] - theirs).abs().mean() < 1e-4

    sides = measure(
        [
            Side(
                "diffred_core, views to all accuracies", lambda: ours(there, views_there, episodes), "ours", N_EPISODES
            ),
            Side(
                "easyfsl 1.5.0 PrototypicalNetworks, masks given",
                lambda: easyfsl_accuracies(X, episodes, masks, order, SAMPLE),
                units=SAMPLE,
            ),
        ],
        repeats=options.repeats,
    )
    facts = {"episodes": N_EPISODES, "way": N_WAY, "shot": N_SHOT, "query": N_QUERY, "d": N_FEATURES}
    rows = rows_of(
        "few-shot accuracy at 13 sizes under 8 masks",
        sides,
        unit="episode",
        **facts,
        views=N_VIEWS,
        device=options.device,
        all_episodes_took=f"{sides[0].median * N_EPISODES:.2f} s",
        peer_timed_on=f"{SAMPLE} episodes",
        largest_difference_in_float64=f"{(exact - exact_theirs).abs().max():.1e}",
        mean_difference_in_float32=f"{(found[:, :SAMPLE] - theirs).abs().mean():.1e}",
        accuracy_without_mask=f"{found[0, :, -1].mean():.3f}",
        best_mask_at_all_features=f"{found[:, :, -1].mean(1).max():.3f}",
    )
    few = Episodes(*(part[:HEAD_EPISODES] for part in (episodes.support, episodes.query, episodes.classes)), 0)

    def our_heads():
        """Fit 13 logistic heads of every episode."""
        return few_shot.linear_head_curve(there, few, order[:HEAD_EPISODES], SIZES, head="logistic", l2=L2)

    exact = scikit_learn_accuracies(X.double(), few, order, SAMPLE, tol=1e-9)
    difference = (our_heads()[:SAMPLE].cpu() - exact).abs().mean()
    assert difference < 1e-3, difference
    loose = (scikit_learn_accuracies(X, few, order, SAMPLE) - exact).abs().mean()
    sides = measure(
        [
            Side("diffred_core", our_heads, "ours", HEAD_EPISODES * len(SIZES)),
            Side(
                "LogisticRegression tol=1e-4, one fit at a time",
                lambda: scikit_learn_accuracies(X, few, order, SAMPLE),
                units=SAMPLE * len(SIZES),
            ),
        ],
        repeats=options.repeats,
    )
    rows += rows_of(
        "logistic head of an episode at one size",
        sides,
        unit="head",
        **facts | {"episodes": HEAD_EPISODES},
        l2=L2,
        device=options.device,
        mean_difference_from_tol_1e_9=f"{difference:.1e}",
        that_of_default_tol=f"{loose:.1e}",
    )
    report(rows, options.csv)

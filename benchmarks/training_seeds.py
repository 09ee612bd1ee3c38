"""Networks of several seeds trained as one by torch.func, against one after the other, on one thread."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from _bench import Side, arguments, measure, report, rows_of
from torch import Tensor
from torch.func import functional_call, grad, replace_all_batch_norm_modules_, stack_module_state, vmap

from diffred_core.small_networks import Architecture, SmallNetwork

N_SEEDS, N_CLASSES, SIZE, BATCH, STEPS, RATE = 5, 10, 28, 64, 4, 3e-3
ARCHITECTURES = ("vggm11-w8", "resnet10-w8", "vit4-w8")


def made(architecture: Architecture) -> list[SmallNetwork]:
    """Return the networks with their first weights; batch norms without running statistics, which vmap cannot write."""
    networks = [SmallNetwork(architecture, N_CLASSES, seed=seed) for seed in range(N_SEEDS)]
    return [replace_all_batch_norm_modules_(network) for network in networks]


def steps_of_one(network: SmallNetwork, images: Tensor, y: Tensor) -> list[Tensor]:
    """Take AdamW steps with one network and return its weights."""
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, fused=True)
    for x, labels in zip(
        images.contiguous(memory_format=torch.channels_last).split(BATCH), y.split(BATCH), strict=True
    ):
        optimiser.zero_grad()
        F.cross_entropy(network(x), labels).backward()
        optimiser.step()
    return [weight.detach() for weight in network.parameters()]


def steps_of_all(networks: list[SmallNetwork], images: Tensor, y: Tensor) -> list[Tensor]:
    """Take the same steps with all networks as one, their convolutions grouped, and return their weights stacked."""
    weights, buffers = stack_module_state(networks)
    optimiser = torch.optim.AdamW(weights.values(), lr=RATE, fused=True)

    def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(networks[0], (weights, buffers), (x,)), labels)

    gradients: Callable[..., dict[str, Tensor]] = vmap(grad(loss), in_dims=(0, 0, 0, 0))
    for x, labels in zip(images.split(BATCH, 1), y.split(BATCH, 1), strict=True):
        found = gradients({name: weight.detach() for name, weight in weights.items()}, buffers, x, labels)
        for name, weight in weights.items():
            weight.grad = found[name]
        optimiser.step()
    return [weight.detach() for weight in weights.values()]


def rows(name: str, repeats: int) -> list[dict[str, object]]:
    """Return the rows of one architecture, every seed with images of its own order."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(N_SEEDS, STEPS * BATCH, 3, SIZE, SIZE, generator=generator)
    y = torch.randint(0, N_CLASSES, (N_SEEDS, STEPS * BATCH), generator=generator)
    architecture = Architecture.named(name)

    def one_by_one() -> list[list[Tensor]]:
        return [steps_of_one(network, *one) for network, *one in zip(made(architecture), images, y, strict=True)]

    def together() -> list[Tensor]:
        return steps_of_all(made(architecture), images, y)

    alone = [torch.stack(weights) for weights in zip(*one_by_one(), strict=True)]
    apart = max(float((a - b).abs().max()) for a, b in zip(alone, together(), strict=True))
    sides = measure(
        [
            Side("one network after the other", one_by_one, role="ours", units=N_SEEDS),
            Side("torch.func: stack_module_state, vmap of grad", together, units=N_SEEDS),
        ],
        repeats=repeats,
    )
    facts = {
        "networks_a_minute_of_one_epoch_of_5000_images": "; ".join(
            f"{side.name} {_a_minute(side):.1f}" for side in sides
        )
    }
    return rows_of(
        f"{name}, {N_SEEDS} seeds",
        sides,
        unit=f"network of {STEPS} steps",
        images=f"{BATCH} a step, {SIZE} pixels",
        greatest_difference_of_a_weight=f"{apart:.1e}",
        threads=1,
        **facts,
    )


def _a_minute(side: Side) -> float:
    return 60 / (side.median / STEPS * 5000 / BATCH)


if __name__ == "__main__":
    options = arguments(__doc__, "training_seeds")
    if options.device == "cpu":
        torch.set_num_threads(1)
    report([row for name in ARCHITECTURES for row in rows(name, options.repeats)], options.csv)

"""The state of a training run after its last whole epoch, kept so that an interruption changes no bit of its end."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from diffred_core import files
from diffred_core.errors import InputError


class Stateful(Protocol):
    """What a checkpoint keeps of a run."""

    @property
    def module(self) -> torch.nn.Module:
        """The network."""

    optimiser: torch.optim.Optimizer
    order: torch.Generator
    noise: torch.Generator
    losses: list[float]


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of one run is kept, and the key of its setting.

    Nothing that is read from it can run code: tensors, numbers and text alone.
    """

    path: Path
    key: str

    def save(self, run: Stateful) -> None:
        """Keep parameters, optimiser, generators and losses, whole or not at all."""
        content = io.BytesIO()
        generators = {"order": run.order.get_state(), "noise": run.noise.get_state()}
        state = {"module": run.module.state_dict(), "optimiser": run.optimiser.state_dict()}
        torch.save({"key": self.key, "losses": run.losses, **generators, **state}, content)
        files.write_bytes(self.path, content.getvalue())

    def load(self, run: Stateful) -> None:
        """Set `run` to what is kept, if anything is; a file that cannot be read counts as none.

        Raises
        ------
        InputError
            If it is of another setting.
        """
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
            return
        if kept["key"] != self.key:
            raise InputError(
                f"expected a checkpoint of the setting {self.key[:16]!r} in {self.path}, got one of "
                f"{str(kept['key'])[:16]!r}; remove it, or name another place"
            )
        run.module.load_state_dict(kept["module"])
        run.optimiser.load_state_dict(kept["optimiser"])
        run.order.set_state(kept["order"])
        run.noise.set_state(kept["noise"])
        run.losses = list(kept["losses"])

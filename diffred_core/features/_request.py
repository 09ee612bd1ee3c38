"""Which backbone a caller means, and its identity, known without loading the network a second time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diffred_core import backbones, files
from diffred_core.backbones import Backbone


@dataclass(frozen=True)
class Request:
    """The arguments of `backbones.load`, and the file that the weights come from, if one is known."""

    model: str
    checkpoint: Path | None
    image_size: int
    model_args: dict[str, Any]

    @classmethod
    def of(
        cls, model: str, checkpoint: Path | str | None, *, image_size: int, model_args: Mapping[str, Any] | None
    ) -> Request:
        """Return the request with its path made plain."""
        path = Path(checkpoint).expanduser().resolve() if checkpoint is not None else None
        return cls(model, path, image_size, dict(model_args or {}))

    @cached_property
    def backbone(self) -> Backbone:
        """The network itself, loaded at first use."""
        return backbones.load(
            self.model, checkpoint=self.checkpoint, image_size=self.image_size, model_args=self.model_args
        )

    def identity(self, root: Path) -> dict[str, object]:
        """Return `Backbone.identity`.

        It is remembered under `root` by path, size and time of the weights' file, so that reading kept features
        neither imports timm nor loads a network. Weights of the hub have no such file and are always loaded.
        """
        memory = self._memory(root)
        if memory is None:
            return self.backbone.identity
        if not memory.is_file():
            files.write_json(memory, self.backbone.identity)
        return json.loads(memory.read_text(encoding="utf-8"))

    def _memory(self, root: Path) -> Path | None:
        file = self.checkpoint
        if file is None and self.model in backbones.embedded():
            file = backbones.packaged_weights(self.model)
        if file is None or not file.is_file():
            return None
        stat = file.stat()
        seen = [str(file), stat.st_size, stat.st_mtime_ns, version("timm")]
        asked = [self.model, self.image_size, self.model_args]
        digest = hashlib.sha256(json.dumps([seen, asked], sort_keys=True).encode()).hexdigest()
        return root / ".backbones" / f"{digest}.json"

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
from diffred_core.features._layer_names import Layers, layer_names


@dataclass(frozen=True)
class Request:
    """The arguments of `backbones.load`, and the file that the weights come from, if one is known; or a network."""

    model: str | Backbone
    checkpoint: Path | None
    input_size: int
    model_args: dict[str, Any]
    preprocessing: dict[str, Any]
    classifier: str | None

    @classmethod
    def of(
        cls,
        model: str | Backbone,
        checkpoint: Path | str | None,
        *,
        image_size: int,
        model_args: Mapping[str, Any] | None = None,
        preprocessing: Mapping[str, Any] | None = None,
        classifier: str | None = None,
    ) -> Request:
        """Return the request with its path made plain; a network at hand has a size of its own."""
        if isinstance(model, Backbone):
            return cls(model, None, model.input_size, {}, preprocessing={}, classifier=None)
        path = Path(checkpoint).expanduser().resolve() if checkpoint is not None else None
        options, own = dict(model_args or {}), dict(preprocessing or {})
        return cls(model, path, image_size, options, preprocessing=own, classifier=classifier)

    @property
    def name(self) -> str:
        """Name of the model, for tables."""
        return self.model.name if isinstance(self.model, Backbone) else self.model

    @cached_property
    def backbone(self) -> Backbone:
        """The network itself, loaded at first use."""
        if isinstance(self.model, Backbone):
            return self.model
        return backbones.load(
            self.model,
            checkpoint=self.checkpoint,
            image_size=self.input_size,
            model_args=self.model_args,
            preprocessing=self.preprocessing,
            classifier=self.classifier,
        )

    def identity(self, root: Path) -> dict[str, Any]:
        """Return `Backbone.identity`.

        It is remembered under `root` by path, size and time of the weights' file, all arguments, and the source of the
        function that makes the network, so that reading kept features neither imports timm nor loads a network.
        Weights of the hub have no such file and are always loaded.
        """
        memory = self._memory(root)
        if memory is None:
            return self.backbone.identity
        identity: dict[str, Any] = files.remembered(memory, lambda: self.backbone.identity)
        return identity

    def layer_names(self, layers: Layers, root: Path | None = None) -> tuple[str, ...]:
        """Return `_layer_names.layer_names`, remembered under `root` so that a network is loaded only once."""
        if root is None or isinstance(self.model, Backbone):
            return layer_names(self.backbone, layers)
        parts = [self.identity(root), layers if isinstance(layers, str) else list(layers), version("timm")]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        memory = root / ".layers" / f"{digest}.json"
        return tuple(files.remembered(memory, lambda: layer_names(self.backbone, layers)))

    def _memory(self, root: Path) -> Path | None:
        file = self.checkpoint
        if isinstance(self.model, Backbone):
            return None
        if file is None and self.model in backbones.embedded():
            file = backbones.packaged_weights(self.model)
        if file is None or not file.is_file():
            return None
        stat = file.stat()
        weights = [str(file), stat.st_size, stat.st_mtime_ns, version("timm"), version("torchvision")]
        arguments = [self.model, self.input_size, self.model_args, self.preprocessing, self.classifier]
        arguments.append(backbones.source_digest(self.model))
        digest = hashlib.sha256(json.dumps([weights, arguments], sort_keys=True).encode()).hexdigest()
        return root / ".backbones" / f"{digest}.json"

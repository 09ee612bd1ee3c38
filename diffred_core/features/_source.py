"""The source of features: model, task, weights, splits and device, named once, and methods for what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffred_core import backbones, datasets, files, moments
from diffred_core.backbones import Backbone, to_tensor
from diffred_core.checks import check_same_classes
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features._compute import FP32, check_precision, device_of
from diffred_core.features._embeddings import PREFIX, read_embeddings
from diffred_core.features._engine import n_threads
from diffred_core.features._extract import Extractor
from diffred_core.features._identity import check_split, features_root, identity_of, store_of
from diffred_core.features._layer_names import Layers
from diffred_core.features._layers import PENULTIMATE
from diffred_core.features._pooling import AVERAGE, check_pool
from diffred_core.features._request import Request
from diffred_core.features._store import FeatureStore
from diffred_core.features._tangents import tangents
from diffred_core.features._task import TaskFeatures
from diffred_core.features._vectors import Vectors, read_vectors
from diffred_core.features._views import View, ViewRecipe, places_of
from diffred_core.moments import FeatureMoments

ONE_LAYER = "expected a task of images for features by layer, got {!r}; a file of embeddings is one layer: take load()"


@dataclass(frozen=True)
class Source:
    """One model on one task, and how its features are computed where they are not kept yet.

    Attributes
    ----------
    model : str or Backbone
        A model as `backbones.load` takes it, or a network at hand (`backbones.from_module`); for ``embeddings:PATH``
        any name.
    task : str or Dataset
        A task as `datasets.load` takes it, a dataset at hand, or ``embeddings:PATH`` to a file of features.
    model_name, task_name : str, optional
        What they are called in tables and paths, where not by their own names: see `files.model_label` and
        `files.task_label`.
    checkpoint, model_args, preprocessing, classifier
        As in `backbones.load`; the ``input_size`` of `preprocessing` stands instead of the task's own.
    split_seed : int
        Of the splits that are not official.
    device : str
        Where features are computed, and where the returned tensors lie: ``cpu``, ``cuda`` or ``cuda:N``.
    precision : {"fp32", "bf16", "fp16"}
        In which the network computes; features are kept and returned in float32. A matter of speed, and of error: see
        the notebook `precision`.
    image_size : int, optional
        Pixels a side, instead of the task's own.
    root : path, optional
        Folder of all stores; ``features`` under `files.runs_root` by default.
    progress : bool
        Show a bar on stderr once it takes longer than two seconds, unless ``TQDM_DISABLE`` is set. Where
        ``DIFFRED_TERMINAL`` names a terminal, as `diffred run` tells its kernel, the bar is always shown there; ``-``
        stands for stderr, as `diffred extract` has it.
    engine : {"auto", "openvino", "torch"}
        ``auto`` takes OpenVINO on a CPU where it is installed and computes in that precision. In fp32 both give the
        same features within 1e-4.
    threads : int, optional
        ``$OMP_NUM_THREADS`` or all cores by default.
    batch_size : int, optional
        Images computed at once; it divides a shard of 512. By default 64 on a CPU; on a GPU as many as are worth it,
        found at the start and kept beside the features. Where memory runs out, half as many from then on.
    compiled : bool
        Let torch compile the network, a minute or so; for OpenVINO it changes nothing.

    Examples
    --------
    >>> source = Source("tf_efficientnet_lite0.in1k", "digits")
    >>> source.of_task("mnist5k").task, source.of_task("+noise:3").task
    ('mnist5k', 'digits+noise:3')
    """

    model: str | Backbone
    task: str | Dataset
    _: KW_ONLY
    model_name: str | None = None
    task_name: str | None = None
    checkpoint: Path | str | None = None
    split_seed: int = 0
    device: str | torch.device = "cpu"
    precision: str = FP32
    image_size: int | None = None
    model_args: Mapping[str, Any] | None = None
    preprocessing: Mapping[str, Any] | None = None
    classifier: str | None = None
    root: Path | str | None = None
    progress: bool = True
    engine: str = "auto"
    threads: int | None = None
    batch_size: int | None = None
    compiled: bool = False

    def __post_init__(self) -> None:
        device_of(self.device)
        check_precision(self.precision)
        if isinstance(self.model, Backbone) and (set(self._chosen) - {"model_name"}):
            raise InputError(
                f"expected no checkpoint and no model_args beside the network {self.model.name!r}, nor preprocessing "
                "or classifier, which it has; leave them out, or name a model"
            )
        backbones.check_model_args(self.model_args)
        backbones.check_preprocessing(self.preprocessing)
        if self.image_size not in (None, self._size):
            raise InputError(
                f"expected one size of the images, got image_size {self.image_size} and input_size {self._size} of "
                "preprocessing; leave one out"
            )

    def of_task(self, task: str | Dataset) -> Source:
        """Return the source of another task, all else equal; ``+noise:3`` is the source's own task, so corrupted."""
        if isinstance(task, str) and task.startswith("+"):
            if not isinstance(self.task, str):
                raise InputError(f"expected a task by name to corrupt by {task!r}, got the dataset {self.task.name!r}")
            task_name = self.task_name and self.task_name + task
            return replace(self, task=self.task + task, task_name=task_name)
        return replace(self, task=task, task_name=None)

    def of_model(self, model: str | Mapping[str, Any]) -> Source:
        """Return the source of another model on the same task, all else equal.

        Parameters
        ----------
        model : str or mapping
            A name, or what a grid file lists: ``model``, and of ``name``, ``checkpoint``, ``model_args``,
            ``preprocessing`` and ``classifier`` what there is.

        Raises
        ------
        InputError
            If it is neither.
        """
        chosen: dict[str, Any] = dict.fromkeys(files.MODEL_PARAMETERS) | files.model_parameters(model)
        return replace(self, **chosen)

    def others(self, tasks: Sequence[str], *, same_classes: bool = False) -> list[Source]:
        """Return the sources of other tasks (`of_task`), each read as far as its labels, before features are computed.

        Parameters
        ----------
        tasks : sequence of str
            As `of_task` takes them.
        same_classes : bool
            Whether their classes must be those of this task, whose probes are to be measured there.

        Raises
        ------
        InputError
            If a task cannot be found, read or downloaded, or has other classes.
        """
        sources = [self.of_task(task) for task in tasks]
        for source in sources:
            source._refuse_embeddings(ONE_LAYER)
            dataset = source._dataset
            if same_classes:
                classes = {"classes": self._dataset.classes, "other_classes": dataset.classes}
                check_same_classes(self.task_label, other=source.task_label, **classes)
        return sources

    def in_precision(self, precision: str) -> Source:
        """Return the source of the same features computed in another precision."""
        return replace(self, precision=precision)

    def untrained(self, seed: int = 0) -> Source:
        """Return the source of the same images under the network with random weights: see `backbones.untrained`.

        Raises
        ------
        InputError
            As `load`; if the task is a file of embeddings, which has no network.
        """
        self._refuse_embeddings("expected a task of images, got {!r}: embeddings have no network to reset")
        network = backbones.untrained(self._request.backbone, seed=seed)
        plain = replace(self, checkpoint=None, model_args=None, preprocessing=None, classifier=None)
        return replace(plain, model=network, model_name=f"{self.label} untrained")

    def load(self, layer: str = PENULTIMATE) -> TaskFeatures:
        """Return the features of one layer, extracting what is not kept yet.

        Parameters
        ----------
        layer : str
            ``"penultimate"`` or the name of a module.

        Raises
        ------
        InputError
            If the model, the task or the file cannot be found, read or downloaded, or does not hold what it must.
        """
        if self._embeddings is None:
            return self._task_features((layer,), AVERAGE, None)[layer]
        if self.precision != FP32:
            raise InputError(
                f"expected precision {FP32} for features of a file, which nothing computes, got {self.precision!r}; "
                "leave it out"
            )
        classes, splits, key = read_embeddings(self._embeddings, seed=self.split_seed)
        moved = {split: (X.to(self.device), y.to(self.device)) for split, (X, y) in splits.items()}
        return TaskFeatures(self.label, self.task_label, classes, dict.fromkeys(splits, key), moved)

    def vectors(
        self,
        *,
        vectors: str | None = None,
        labels: str | None = None,
        ids: str | None = None,
        queries: str | None = None,
        qrels: str | None = None,
    ) -> Vectors:
        """Return the vectors for a report on embeddings: of a file, or of the last layer with the rows of all splits.

        Parameters
        ----------
        vectors, labels, ids, queries, qrels
            Of a file of embeddings, as `read_vectors` takes them.

        Raises
        ------
        InputError
            As `load` and `read_vectors`; of images, if keys or files are named.
        """
        chosen = {"vectors": vectors, "labels": labels, "ids": ids, "queries": queries, "qrels": qrels}
        if self._embeddings is not None:
            return read_vectors(self._embeddings, model=self.label, task=self.task_label, **chosen)
        if named := [name for name, value in chosen.items() if value is not None]:
            raise InputError(
                f"expected {named[0]} of a file of embeddings only, got the task {self.task!r}; leave it out"
            )
        layer = self.load()
        X, y = layer.together
        return Vectors(layer.model, layer.task, X.cpu().numpy(), layer.keys, y=y.cpu().numpy(), classes=layer.classes)

    def layers(
        self, layers: Layers = "blocks", *, pool: str = AVERAGE, splits: Sequence[str] | None = None
    ) -> dict[str, TaskFeatures]:
        """Return the features of several layers by layer, extracting in one pass what is not kept yet.

        Parameters
        ----------
        layers : str or sequence of str
            ``"blocks"``, ``"stages"``, ``"convolutions"``, or names and patterns of modules: see `layer_names`.
        pool : {"average", "2x2", "cls", "tokens"}
            How maps and tokens become one row an image.
        splits : sequence of str, optional
            Which splits; all by default.

        Returns
        -------
        dict of str to TaskFeatures
            In the order in which the network runs the layers.

        Raises
        ------
        InputError
            As `load` and `layer_names`; if the task is a file of embeddings, which is one layer.
        """
        self._refuse_embeddings(ONE_LAYER)
        check_pool(pool)
        return self._task_features(self._request.layer_names(layers, self._root), pool, splits)

    def views(
        self,
        rows: Tensor | Sequence[int] | None = None,
        *,
        n_views: int = 10,
        crop_scale: tuple[float, float] = (0.3, 1.0),
        flip: bool = False,
        colour: float = 0.0,
        view_seed: int = 0,
        layer: str = PENULTIMATE,
    ) -> Tensor:
        """Return the features of augmented views of images, extracting what is not kept yet.

        A view is a random crop of the image, resized to the input of the network (bicubic), and nothing else unless
        `flip` or `colour` say so. The plain image is not among the views: its features are those of `load`, whose
        preprocessing is the network's own (often a centre crop). Every number of view is one store, so that more views
        extract only the new ones.

        Parameters
        ----------
        rows : LongTensor of shape (n_rows,), optional
            Which images: places in the train, validation and test samples of `load`, one split after the other
            (`TaskFeatures.together`). All by default.
        n_views : int, default=10
            Views of every image.
        crop_scale, flip, colour, view_seed
            As the attributes of `ViewRecipe`, `view_seed` its seed.
        layer : str
            As in `load`.

        Returns
        -------
        Tensor of shape (n_rows, n_views, n_features), float32
            Rows as asked for; view v is the same whatever `n_views` and `rows` are.

        Raises
        ------
        InputError
            If the task has no images, an option is out of range, or as `load`.
        """
        self._refuse_embeddings(
            "expected a task of images, got {!r}: embeddings hold no images to crop; leave views out and take at "
            "least 2 shots, or pass features of views that you have made"
        )
        if n_views < 1:
            raise InputError(f"n_views must be at least 1, got {n_views}; leave views out for none")
        recipe = ViewRecipe(crop_scale, flip, colour, view_seed)
        samples, places = places_of(self._dataset, rows)
        extractor = self._extractor((layer,), AVERAGE, of_views=True)
        numbers = range(1, n_views + 1)
        views = [View(self._dataset, samples, recipe, number, self._request.input_size) for number in numbers]
        stores = [self._of_view(extractor, view) for view in views]
        return torch.stack([store.read(layer).float() for store in stores], dim=1)[places].to(self.device)

    def tangents(self, n: int, *, seed: int = 0, split: str = "test") -> Tensor:
        """Return how the features of images move with them: ``J(x) z`` of the network's Jacobian J, z standard normal.

        Their moments are those of the Jacobian: ``mean_x ||W'J(x)||_F^2`` of any linear probe W on any of the features
        is the mean of ``||W't||^2`` (`geometry.geometric_complexity`), so that one pass serves all subsets.

        Parameters
        ----------
        n : int
            How many, each of an image of its own (drawn without repetition, then again), at the input as the network
            takes it: normalised. 0 gives none, of embeddings too.
        seed : int
            Of images and directions.
        split : {"train", "validation", "test"}

        Returns
        -------
        Tensor of shape (n, n_features), float32

        Raises
        ------
        InputError
            If `n` is negative, the split is unknown, or the task is a file of embeddings, which has no network.
        """
        if n < 0:
            raise InputError(f"expected n of at least 0, got {n}; 0 is for none")
        if n == 0:
            return torch.empty(0, 0)
        self._refuse_embeddings("expected a task of images, got {!r}: embeddings have no network; take 0 tangents")
        check_split(self._dataset, split)
        draw, rows = torch.Generator().manual_seed(seed), self._dataset.splits[split]
        orders = [rows[torch.randperm(len(rows), generator=draw)] for _ in range(-(-n // len(rows)))]
        samples = torch.cat(orders)[:n].tolist()
        return tangents(self._request.backbone, self._dataset, samples, seed=seed, device=device_of(self.device))

    def moments(
        self, split: str, *, layers: Layers = "blocks", pool: str = AVERAGE, quartic: bool = True
    ) -> dict[str, FeatureMoments]:
        """Return the moments, with class sums, of every layer over one split, streamed.

        Memory is d x d a layer and one block of rows of every layer; nothing is written to disk.

        Parameters
        ----------
        split : {"train", "validation", "test"}
        layers, pool
            As in `layers`.
        quartic : bool
            Whether to sum fourth moments, which debiased CKA needs.

        Returns
        -------
        dict of str to FeatureMoments
            By layer, in the order in which the network runs them. Equal to the last bit to `moments.accumulate` over
            the features that `store` keeps.

        Raises
        ------
        InputError
            As `layers`; if the split is unknown.
        """
        self._refuse_embeddings(ONE_LAYER)
        check_split(self._dataset, split)
        names = self._request.layer_names(layers)
        batches = self._extractor(names, pool).stream(self._dataset, split=split)
        sums = moments.accumulate_layers(batches, n_classes=self._dataset.n_classes, quartic=quartic)
        return dict(zip(names, sums, strict=True))

    def store(
        self, split: str, *, layers: Layers = (PENULTIMATE,), pool: str = AVERAGE, dtype: str = "float32"
    ) -> FeatureStore:
        """Return the finished store of one split, extracting what is not kept yet.

        Parameters
        ----------
        split : {"train", "validation", "test"}
        layers : sequence of str, or str
            ``"penultimate"`` or names of modules, in the order in which they are kept; or ``"blocks"``, ``"stages"``,
            ``"convolutions"``, in the order in which the network runs them (`layer_names`). One pass gives all.
        pool : {"average", "2x2", "cls", "tokens"}
            How maps and tokens become one row an image.
        dtype : {"float32", "float16"}
            In which the features are kept.

        Raises
        ------
        InputError
            If an option is none of those above, an image cannot be decoded, a feature is not finite, all features are
            constant, or the disk is full.
        """
        self._refuse_embeddings(ONE_LAYER)
        names = self._request.layer_names(layers, self._root) if isinstance(layers, str) else tuple(layers)
        extractor = self._extractor(names, pool)
        identity = identity_of(
            self._request.identity(self._root),
            self._dataset,
            split=split,
            layers=names,
            pool=pool,
            dtype=dtype,
            computed_in=extractor.computed_in,
        )
        store = store_of(identity, self._dataset, split=split, root=self._root)
        extractor.fill(store, self._dataset, split=split)
        return store

    @property
    def _embeddings(self) -> Path | None:
        if isinstance(self.task, str) and self.task.startswith(PREFIX):
            return Path(self.task.removeprefix(PREFIX)).expanduser()
        return None

    def _refuse_embeddings(self, sentence: str) -> None:
        if self._embeddings is not None:
            raise InputError(sentence.format(self.task))

    @property
    def _root(self) -> Path:
        return features_root(self.root)

    @property
    def label(self) -> str:
        """What the model is called in tables and paths."""
        if isinstance(self.model, Backbone):
            return self.model_name or self.model.name
        return files.model_label(self.model, **self._chosen)

    @property
    def _size(self) -> int | None:
        """Pixels a side, where they are chosen."""
        size: int | None = (self.preprocessing or {}).get("input_size", self.image_size)
        return size

    @property
    def _chosen(self) -> dict[str, Any]:
        """What says, beside its name, which model it is: of all that may, what was chosen."""
        values = {name: getattr(self, name) for name in files.MODEL_PARAMETERS}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def task_label(self) -> str:
        """What the task is called in tables and paths."""
        task = self.task if isinstance(self.task, str) else self.task.name
        return files.task_label(task, task_name=self.task_name)

    @cached_property
    def _dataset(self) -> Dataset:
        if isinstance(self.task, str):
            return datasets.load(self.task, seed=self.split_seed, image_size=self._size)
        return self.task if self._size is None else replace(self.task, input_size=self._size)

    @cached_property
    def _request(self) -> Request:
        return Request.of(
            self.model,
            self.checkpoint,
            image_size=self._dataset.input_size,
            model_args=self.model_args,
            preprocessing=self.preprocessing,
            classifier=self.classifier,
        )

    def _extractor(self, layers: tuple[str, ...], pool: str, *, of_views: bool = False) -> Extractor:
        return Extractor(
            self._request,
            layers,
            pool=pool,
            batch_size=self.batch_size,
            device=device_of(self.device),
            precision=self.precision,
            engine=self.engine,
            threads=n_threads(self.threads),
            progress=self.progress,
            compiled=self.compiled,
            # A view has the size of the input already: the network's own resizing would crop it a second time.
            transform=to_tensor if of_views else None,
        )

    def _of_view(self, extractor: Extractor, view: View) -> FeatureStore:
        """Return the finished store of the features of one view."""
        viewed = view.viewed()
        about = self._request.identity(self._root) | {"view": view.recipe.identity(view.number)}
        identity = identity_of(
            about,
            viewed,
            split="train",
            layers=extractor.layers,
            dtype="float32",
            computed_in=extractor.computed_in,
        )
        store = store_of(identity, viewed, split="train", root=self._root, part=f"view-{view.number:02d}")
        extractor.fill(store, viewed, split="train", what=f"view {view.number}")
        return store

    def _task_features(
        self, layers: tuple[str, ...], pool: str, splits: Sequence[str] | None
    ) -> dict[str, TaskFeatures]:
        stores = {
            split: self.store(split, layers=layers, pool=pool)
            for split in (self._dataset.splits if splits is None else splits)
        }
        kept = {split: store.read_all() for split, store in stores.items()}
        labels = {split: store.y.to(self.device) for split, store in stores.items()}
        keys = {split: store.key for split, store in stores.items()}
        data = self._dataset
        return {
            layer: TaskFeatures(
                self.label,
                self.task_label,
                data.classes,
                keys,
                {split: (tensors[layer].float().to(self.device), labels[split]) for split, tensors in kept.items()},
            )
            for layer in layers
        }

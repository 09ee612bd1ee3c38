"""Experiments, designs, metrics and recipes of the chapter, each spelled once."""

from __future__ import annotations

from collections.abc import Iterable

LAYERS, SMALL_NETWORKS = "layers", "tunnel_small_networks"  # experiments
FACTORS, SWAP = "tunnel_factors", "tunnel_swap"

# designs (column method): whose rows are measured, with whose probe
IN_DISTRIBUTION, TRANSFER, SHIFT = "in_distribution", "transfer", "shift"

PAPYAN, HARUN = "papyan", "harun"  # conventions of neural collapse (column recipe)
AS_PUBLISHED, SELECTED_EPOCH = "as published", "selected epoch"  # epoch of a published probe (column label)

# metrics: of a layer, of a network
ACCURACY, OPTIMISM, RANK, NC1 = "accuracy", "optimism", "numerical_rank", "nc1"
CKA_TO_LAST, ACCURACY_KEPT, REDUNDANCY = "cka_to_last", "accuracy_kept", "diffused_redundancy"
RETAINED, RETAINED_HELD_OUT, RETAINED_BEYOND = "percent_retained", "percent_retained_held_out", "retained_beyond_id"
MEAN_RETAINED, CLASSIFIER = "mean_percent_retained", "classifier_accuracy"
BEST_LAYER, BEST_GAIN = "best_layer", "best_layer_gain"
CORRELATION, ALIGNMENT = "id_ood_correlation", "alignment"
PUBLISHED_AS = {RETAINED: "retained", CORRELATION: "correlation", ALIGNMENT: "alignment"}
# metric: share of the final ID accuracy by which the original rule finds the tunnel (Masarczyk et al. 2023)
TUNNEL_STARTS = {"tunnel_start_95": 0.95, "tunnel_start_98": 0.98}

# k features of the last layer against k of another, or of all layers together: methods, metrics
OF_LAYER, OF_ALL_HIDDEN = "random", "random_hidden"
ACCURACY_OF_K, LAST_LEAD, RETAINED_OF_K = "accuracy_of_k", "last_layer_lead", "percent_retained_of_k"

# small networks: when they pool (column label), and whether they were trained (column recipe)
EARLY, LATE = "early_pooling", "late_pooling"
POOLING = {EARLY: "early pooling", LATE: "without early pooling"}
TRAINED, UNTRAINED = "trained", "untrained"
# settings of the tunnel's factors (column label): many classes at few pixels, what else is crossed, what changes alone
BASE, MORE_PIXELS, FEWER_CLASSES = "base", "more pixels", "fewer classes"
FEWER_CLASSES_MORE_PIXELS = "fewer classes, more pixels"
CROSSED = (BASE, MORE_PIXELS, FEWER_CLASSES, FEWER_CLASSES_MORE_PIXELS)
AUGMENTED, MORE_IMAGES, DEEPER, WIDER = "augmented", "more images", "deeper", "wider"
LATE_POOLING, VIT = "late pooling", "vit"
SETTINGS = (*CROSSED, AUGMENTED, MORE_IMAGES, DEEPER, WIDER, LATE_POOLING, VIT)
SETTING_WORDS = {name: name for name in SETTINGS} | {VIT: "a ViT", LATE_POOLING: "no early pooling"}
OF_SETTING = "setting"  # method: of the rows that say what a setting is
N_CLASSES, PIXELS, N_IMAGES, PARAMETERS = "classes", "pixels", "training_images", "parameters"  # their metrics
# two stages of training: extractor and tunnel put together (methods), accuracy of these (metric)
PARTS = ("E1+T1", "E1+T2", "E2+T1", "E2+T2")
OTHER_TUNNEL, OF_PARTS = "E1+T of another", "accuracy_of_parts"
KIND = ["model", "label", "recipe"]  # the columns that networks share which differ in their seed alone


def network_words(pooling: str, recipe: str = TRAINED) -> str:
    """Return how a kind of small network is said: ``without early pooling, untrained``."""
    return POOLING.get(pooling, pooling.replace("_", " ")) + (", untrained" if recipe == UNTRAINED else "")


def in_order(poolings: Iterable[str]) -> list[str]:
    """Return every way of pooling once, the known ones first."""
    return sorted(set(poolings), key=lambda pooling: (pooling not in POOLING, pooling))

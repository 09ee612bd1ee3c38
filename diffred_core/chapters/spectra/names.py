"""Methods and metrics of the chapter, each spelled once."""

from __future__ import annotations

EXPERIMENT = "spectra"

# methods: a random part of the layer, and its floors: the same part with labels that mean nothing, as many dimensions
# of the rotated layer, and the same part of the network before training
RANDOM, SHUFFLED, ROTATED, UNTRAINED = "random", "shuffled_labels", "rotated", "untrained"

# metrics without labels
NUMERICAL_RANK, STABLE_RANK, RANKME, ENTROPY = "numerical_rank", "stable_rank", "rankme", "batch_entropy"
# of labels in the spectrum: share in the first C - 1 directions and in all; k(0.9) of norms in the span, and of energy
TOP_ENERGY, ENERGY = "label_energy_top", "label_energy"
RANK_OF_SPAN, RANK_OF_LABELS = "alignment_rank_span", "alignment_rank_labels"
CURVE = "label_alignment"  # of the whole layer, by number of directions (column n_selected)
LABEL_CKA, TARGET_ALIGNMENT = "label_cka", "kernel_target_alignment"
# of classes
SEPARATION, CDNV, DIMENSIONS, DIVERSITY = "class_separation", "cdnv", "dimensions_per_class", "task_diversity"
NC1, NC2, NC3, NC4 = "nc1", "nc2", "nc3", "nc4"
# of a ridge probe: what it reaches; the squared gradient left in all features, as a share of that without a probe; its
# roughness to features and to images; its part off the data, and how often noise there turns a prediction
ACCURACY, GRADIENT_LEFT = "accuracy", "gradient_left"
PROBE_COMPLEXITY, COMPLEXITY = "probe_complexity", "geometric_complexity"
TRANSVERSE, FLIPS = "transverse_share", "flip_rate"
# of two domains (column label: the other one): how far apart, and the risk of a start there over that of a start at 0
DISTANCE, WARM_START = "proxy_a_distance", "warm_start_risk"
# accuracy there by what was fitted (column probe): least squares and ridge on the task, the first regularised by the
# label alignment of the other domain's images, and ridge on its labels
TARGET_ACCURACY = "target_accuracy"
LEAST_SQUARES, RIDGE, LABEL_ALIGNED, ORACLE = "least_squares", "ridge", "label_aligned", "oracle"
PROBES = (LEAST_SQUARES, RIDGE, LABEL_ALIGNED, ORACLE)
# and by trained heads on the whole layer: of the task alone, against a domain classifier, of the other domain's labels
HEAD, DANN, HEAD_ORACLE = "head", "dann", "head_oracle"

# of the summary: what is explained, and what else of a layer might; metrics are correlation_with_ and error_of_ those
SUMMARY, ALL_TASKS = "spectra_summary", "all tasks"
PART_ACCURACY, REDUNDANCY, FULL_ACCURACY = "part_accuracy", "diffused_redundancy", "full_accuracy"
WIDTH, SIMILARITY = "width", "cka_with_the_layer"
CORRELATION, ERROR, EXCESS = "correlation_with_", "error_of_", "excess_error_of_"
# what is fitted to the other tasks (column label): nothing but their mean, the full accuracy, the measure that did best
# there, and that beside the full accuracy; EXCESS is that over another one of them (column method)
MEAN, BEST, BEST_BESIDE, HELD_OUT = "mean_of_tasks", "best_measure", "best_measure_beside", "held_out_task"
LAYERS, EVERY_LAYER, PENULTIMATE = "layers", "every layer", "penultimate"
DELTA = 0.9  # of diffused redundancy
# adaptation: the same two after some steps of descent instead of at the minimum; who chose the options (column recipe);
# the name of the domain that is none (column label); how much rarer some classes of the target are (column delta)
ADAPTATION = "adaptation"
STOPPED, ALIGNED_STOPPED = "least_squares_stopped", "label_aligned_stopped"
COMMONEST = "commonest_class"  # of the source
FIXED, SOURCE_VALIDATION, REVERSE_VALIDATION = "fixed", "source_validation", "reverse_validation"
TARGET_LABELS = "target_labels"  # no rule that anybody could follow who needs adaptation: an oracle
RULES = (SOURCE_VALIDATION, REVERSE_VALIDATION, TARGET_LABELS)
NO_SHIFT = "no shift"
CHOSEN = {  # by which rule the options of each are chosen where one rule is shown
    COMMONEST: FIXED,
    LEAST_SQUARES: FIXED,
    STOPPED: REVERSE_VALIDATION,
    RIDGE: SOURCE_VALIDATION,
    LABEL_ALIGNED: FIXED,
    ALIGNED_STOPPED: REVERSE_VALIDATION,
    ORACLE: TARGET_LABELS,
    HEAD: FIXED,
    DANN: FIXED,
    HEAD_ORACLE: FIXED,
}

# similarity across networks and seeds: metrics are those of similarity.INDICES; of two layers (columns layer, label)
ACROSS = "similarity_across"
BETWEEN_NETWORKS, BETWEEN_SEEDS, PRINCIPAL = "between_networks", "between_seeds", "principal"
TRAINED = "trained"
CKA = "cka"

CONVENTION = "papyan"  # of nc1 to nc4 (column recipe)
FRACTION = 0.2  # at which claims are judged, as the finding of diffused redundancy is stated
SPAN_SHARE = 0.9  # of alignment ranks, as published

"""Redundancy of frozen representations: subset probes, CKA from moments, and the book they write.

The way of the data; nothing flows back::

    image -> features -> X, y -> numbers -> rows -> table -> summary -> figure -> page

with X of shape (n_samples, n_features) and y of shape (n_samples,), integer class indices. Each step has its rooms,
from the ground floor up, and a room imports only from what stands before it; a test parses the imports:

words
    `errors` `checks` `subsets` `intervals` `redundancy` `precision`; `files` `provenance`
arrays (torch, numpy, scipy and nothing else): tensors in, tensors out
    `moments` `cka` `similarity` `linear_probe` `few_shot` `soft_mask` `tunnel` `geometry`
    `compression`
world: images, networks, files
    `datasets` `backbones` `features` `small_networks`
results
    One schema: a row is a measurement, facts are columns. Writing, reading, summaries, claims and their verdicts, and
    the numbers that others published.
drawing
    The style of figures, and one way to show a figure with its words, a table, an answer or verdicts.
chapters: one folder a chapter of the book
    `random_subsets` `governs` `few_shots` `depth` `tunnel_paper` `spectra` `training` `embeddings`. Each has `names`
    (methods, metrics), sweeps (rows out), `claims` (published claims held against a table), `answers` (the finding of
    a page in a sentence, with its verdicts), `figures` (each beside its words), `tables`, and `across` where it reads
    all models and tasks. No chapter imports another, `random_subsets` aside.
running, staging, cli
    Parameters, records and the grid; the source of the book; the command line. `estimators` is scikit-learn's
    interface.

Importing `diffred_core` alone loads none of torch, timm, matplotlib or pandas.
"""

__version__ = "0.1.0"

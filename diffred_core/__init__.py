"""Redundancy of frozen representations: subset probes, CKA from moments, and the book they write.

The way of the data; nothing flows back::

    image --datasets--> backbones --features.Source--> feature store        X (n_samples, n_features), y (n_samples,)
    X, y --moments--> n, mean, X'X, (X*X)'(X*X), class sums                  one pass, memory n_features^2
    moments, subsets --cka, linear_probe, redundancy--> values               every subset from the same moments
    layers --linear_probe, tunnel, geometry--> values                        every layer, in the order it runs
    values --sweeps, results--> one tidy row a measurement, with provenance
    rows --figures--> axes --notebooks, runner, staging--> the book

Four layers, each importing only from those before it:

1. arrays: `subsets` `moments` `cka` `similarity` `linear_probe` `redundancy` `intervals` `few_shot` `soft_mask`
   `tunnel` `geometry` (tensors in, tensors out)
2. world: `datasets` `backbones` `features` `small_networks` (models, images, files)
3. tables: `sweeps` `results` `tunnel_statistics` (loops over seeds in, rows out)
4. drawing and running: `figures` `estimators` `runner` `staging` `cli`

`errors` and `paths` stand before them all. Importing `diffred_core` alone loads none of timm, matplotlib or pandas.
"""

__version__ = "0.1.0"

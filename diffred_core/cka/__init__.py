"""Centered kernel alignment of layers and of subsets of their features; debiased unless asked otherwise."""

from diffred_core.cka._interval import CkaInterval as CkaInterval
from diffred_core.cka._interval import jackknife_rows as jackknife_rows
from diffred_core.cka._interval import subset_cka_interval as subset_cka_interval
from diffred_core.cka._labels import kernel_target_alignment as kernel_target_alignment
from diffred_core.cka._labels import label_cka as label_cka
from diffred_core.cka._layers import centred_kernel as centred_kernel
from diffred_core.cka._layers import kernel_cka as kernel_cka
from diffred_core.cka._layers import layer_cka as layer_cka
from diffred_core.cka._layers import linear_cka as linear_cka
from diffred_core.cka._rows import subset_cka_rows as subset_cka_rows
from diffred_core.cka._subset import diagonal_null as diagonal_null
from diffred_core.cka._subset import permutation_null_mean as permutation_null_mean
from diffred_core.cka._subset import prefix_cka as prefix_cka
from diffred_core.cka._subset import similarity_matrix as similarity_matrix
from diffred_core.cka._subset import subset_cka as subset_cka

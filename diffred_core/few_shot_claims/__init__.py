"""The claims of "Less is more" (Luo et al. 2023, arXiv 2310.03843) held against a few_shot table, C1 to C9.

What the abstracts of its two versions and its reviews state is all that is known of the paper's numbers, so every claim
is about a sign, or about a share that an abstract names. Intervals are over episodes, and paired: both sides of every
difference are measured on the same episodes. C10, which compares tasks, is in `sweeps.few_shot_across`.
"""

from diffred_core.few_shot_claims._estimates import head_equals_centroid as head_equals_centroid
from diffred_core.few_shot_claims._estimates import mask_improves as mask_improves
from diffred_core.few_shot_claims._estimates import selection_is_inaccurate as selection_is_inaccurate
from diffred_core.few_shot_claims._every import every as every
from diffred_core.few_shot_claims._oracle import accuracy_peaks_inside as accuracy_peaks_inside
from diffred_core.few_shot_claims._oracle import confounders_harm as confounders_harm
from diffred_core.few_shot_claims._oracle import fades_with_ways as fades_with_ways
from diffred_core.few_shot_claims._oracle import few_percent_improve as few_percent_improve
from diffred_core.few_shot_claims._oracle import more_shots_need_more as more_shots_need_more
from diffred_core.few_shot_claims._oracle import top_percent_recovers as top_percent_recovers
from diffred_core.few_shot_claims._theory import theory as theory

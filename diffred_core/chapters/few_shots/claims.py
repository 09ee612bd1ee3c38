"""The claims of "Less is more" held against a table of one model and task, C1 to C9."""

from diffred_core.chapters.few_shots.claims_estimates import head_equals_centroid as head_equals_centroid
from diffred_core.chapters.few_shots.claims_estimates import mask_improves as mask_improves
from diffred_core.chapters.few_shots.claims_estimates import selection_is_inaccurate as selection_is_inaccurate
from diffred_core.chapters.few_shots.claims_every import every as every
from diffred_core.chapters.few_shots.claims_oracle import accuracy_peaks_inside as accuracy_peaks_inside
from diffred_core.chapters.few_shots.claims_oracle import confounders_harm as confounders_harm
from diffred_core.chapters.few_shots.claims_oracle import fades_with_ways as fades_with_ways
from diffred_core.chapters.few_shots.claims_oracle import few_percent_improve as few_percent_improve
from diffred_core.chapters.few_shots.claims_oracle import more_shots_need_more as more_shots_need_more
from diffred_core.chapters.few_shots.claims_oracle import top_percent_recovers as top_percent_recovers
from diffred_core.chapters.few_shots.claims_theory import theory as theory

"""What each page of the chapter found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from diffred_core.chapters.training import answers_parts, claims, claims_learning, claims_linear, claims_parts
from diffred_core.drawing import Answer

FINDINGS = claims_learning.FINDINGS | claims_linear.FINDINGS | answers_parts.FINDINGS
STATEMENTS = claims_learning.STATEMENTS | claims_linear.STATEMENTS | claims_parts.STATEMENTS


def answer_of(analysis: str) -> Callable[[pd.DataFrame], Answer]:
    """Return the function that answers one page: its finding, with the values of its claims, and their verdicts."""

    def answer(table: pd.DataFrame) -> Answer:
        judged = claims.judged(table, STATEMENTS[analysis])
        values = {key: claim.value for key, claim in judged.items()}
        return Answer(FINDINGS[analysis].format(**values), list(judged.values()))

    answer.__name__ = answer.__qualname__ = analysis
    answer.__doc__ = f"Return what the page `{analysis}` found, from the table of its sweep."
    return answer


pc_bias = answer_of("pc_bias")
silent_alignment = answer_of("silent_alignment")
lazy_hasty = answer_of("lazy_hasty")
linear_teachers = answer_of("linear_teachers")
gated_networks = answer_of("gated_networks")
spectral_bias = answer_of("spectral_bias")
lottery_ticket = answer_of("lottery_ticket")
geometric_complexity = answer_of("geometric_complexity")
gradmax = answer_of("gradmax")
trainability = answer_of("trainability")
superposition = answer_of("superposition")
low_dimensional = answer_of("low_dimensional")

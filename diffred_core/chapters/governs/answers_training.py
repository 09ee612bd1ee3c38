"""What the page of losses and regularisers found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.governs import claims_training
from diffred_core.chapters.governs import names_training as names
from diffred_core.chapters.governs import training_reading as reading
from diffred_core.drawing import Answer
from diffred_core.results.readable import readable


def loss_and_regulariser(table: pd.DataFrame, *, level: float = 0.95) -> Answer:
    """Return which objectives change redundancy most, and whether such layers are collapsed or spread.

    Parameters
    ----------
    table : DataFrame
        Of `governs.trained`.
    level : float
        As of `claims_training.all_claims`.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    plain = reading.measure_by_seed(table, names.REFERENCE, reading.DR_OWN).mean()
    kinds = reading.reasons(table, level=level).sort_values(reading.DR_OWN)
    least, most = kinds.iloc[0], kinds.iloc[-1]
    sentence = (
        f"Trained on {_own_task(table)} with plain cross-entropy, a network can drop {100 * plain:.0f} % of its "
        f"dimensions at random and keep {100 * names.DELTA:g} % of its accuracy. Of {len(kinds)} other objectives "
        f"{_change(most)}; {_change(least)}. {_kinds(kinds)}"
    )
    numbers = {"plain cross-entropy drops": f"{100 * plain:.0f} %", "objectives": str(1 + len(kinds))}
    numbers |= {
        names.objective_words(str(row["objective"])): f"{100 * row[reading.DR_OWN]:+.0f} points"
        for row in (least, most)
    }
    return Answer(sentence, claims_training.all_claims(table, level=level), numbers)


def _own_task(table: pd.DataFrame) -> str:
    return readable(str(table.loc[table["label"] == names.OWN, "task"].iloc[0]))


def _change(row: pd.Series) -> str:
    other = f"{100 * row[reading.DR_OTHER]:+.0f} on other tasks"
    own = f"{100 * row[reading.DR_OWN]:+.0f} points"
    return f"{names.objective_words(str(row['objective']))} changes that by {own} ({other})"


def _kinds(kinds: pd.DataFrame) -> str:
    """Return which objectives collapse a layer, and which spread it."""
    named = {
        reason: ", ".join(map(names.objective_words, kinds.loc[kinds["reason"] == reason, "objective"]))
        for reason in (reading.COLLAPSED, reading.SPREAD, reading.BOTH)
    }
    parts = [
        f"{words} than with cross-entropy: {named[reason]}"
        for reason, words in {
            reading.COLLAPSED: "Classes are more separate",
            reading.SPREAD: "dimensions spread over more directions",
            reading.BOTH: "both",
        }.items()
        if named[reason]
    ]
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}." if parts else "No layer is surely more collapsed or spread."

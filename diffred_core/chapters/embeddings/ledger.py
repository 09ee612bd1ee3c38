"""Values of single queries, kept until all are there: then means, shares and intervals are of the same resamples."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from diffred_core import intervals
from diffred_core.chapters.embeddings import names
from diffred_core.results.rows import Row

N_BOOT = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class KeptSetting:
    """A way to keep vectors: which map, how many numbers, in which format."""

    method: str
    n_selected: int
    number_format: str

    def row(self) -> Row:
        """Return the columns that name it."""
        return {"method": self.method, "n_selected": self.n_selected, "recipe": self.number_format}


Measure = tuple[str, str]  # metric, probe ("" for none)


@dataclass
class Ledger:
    """What was measured so far.

    Attributes
    ----------
    halves : dict of str to ndarray
        Places of the rows that choose, and that are tested on.
    shared : dict
        Columns that all rows share.
    """

    halves: dict[str, np.ndarray]
    shared: Row
    values: dict[Measure, dict[KeptSetting, np.ndarray]] = field(default_factory=dict)
    single: list[Row] = field(default_factory=list)

    def add(self, setting: KeptSetting, metric: str, values: np.ndarray, *, probe: str = "") -> None:
        """Keep the `values` (n_scored,) of a setting."""
        self.values.setdefault((metric, probe), {})[setting] = np.asarray(values, float)

    def note(self, text: str) -> None:
        """Keep a sentence that the report must say."""
        self.single.append({"method": names.FULL, "metric": names.NOTE, "label": text, "value": 1.0})

    def one(self, row: Row) -> None:
        """Keep a row that is no mean over queries."""
        self.single.append(row)

    def rows(self) -> list[Row]:
        """Return a row for each setting and measure on the rows that chose nothing, then the single rows."""
        means = [row for measure in self.values for row in self._means(measure)]
        return [{**self.shared, **row} for row in (*means, *self.single)]

    def _means(self, measure: Measure) -> list[Row]:
        settings, resampled, mean = self.resampled(measure, names.TEST)
        low, high = np.quantile(resampled, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
        n = len(self.halves[names.TEST])
        named: Row = {"metric": measure[0], "split": names.TEST, "n": n} | ({"probe": measure[1]} if measure[1] else {})
        return [
            setting.row() | named | {"value": mean[i], "low": min(low[i], mean[i]), "high": max(high[i], mean[i])}
            for i, setting in enumerate(settings)
        ]

    def resampled(self, measure: Measure, half: str) -> tuple[list[KeptSetting], np.ndarray, np.ndarray]:
        """Return the settings of a measure, their means under resamplings of rows, and their means."""
        settings = list(self.values[measure])
        table = np.stack([self.values[measure][setting][self.halves[half]] for setting in settings])
        return settings, intervals.bootstrap_means(table, n_boot=N_BOOT, seed=0), table.mean(1)

    def shares(self, measure: Measure, full: KeptSetting, *, tolerance: float) -> list[Row]:
        """Return how much of the full vectors' measure each setting keeps, on either half."""
        rows = []
        for half in (names.CHOICE, names.TEST):
            settings, resampled, mean = self.resampled(measure, half)
            at = settings.index(full)
            if mean[at] <= 0:
                continue
            low, high = np.quantile(
                resampled / np.maximum(resampled[:, [at]], 1e-12), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0
            )
            share = mean / mean[at]
            named: Row = {"metric": names.KEPT, "split": half, "delta": 1 - tolerance, "label": measure[0]}
            named |= {"probe": measure[1]} if measure[1] else {}
            rows += [
                setting.row()
                | named
                | {"value": share[i], "low": min(low[i], share[i]), "high": max(high[i], share[i])}
                for i, setting in enumerate(settings)
            ]
        return rows


@dataclass
class Budget:
    """Seconds that the work may take; what they do not suffice for is left out and said."""

    seconds: float | None
    ledger: Ledger
    started: float = field(default_factory=time.perf_counter)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def allows(self, what: str, *, part: str = "") -> bool:
        """Return whether there is time for `what`, or for a `part` of it, and note it where there is none."""
        if self.seconds is None or time.perf_counter() - self.started < self.seconds:
            return True
        self.skipped.setdefault(what, []).append(part)
        return False

    def close(self) -> None:
        """Put what was left out into the ledger."""
        if self.skipped:
            left = ", ".join(_left_out(what, parts) for what, parts in self.skipped.items())
            self.ledger.note(f"Left out, for {self.seconds:g} seconds had passed: {left}.")


def _left_out(what: str, parts: list[str]) -> str:
    if not parts[0] or len(parts) > 2:
        return what if not parts[0] else f"{what} in {len(parts)} formats"
    return f"{what} in {' and '.join(parts)}"

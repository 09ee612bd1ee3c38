"""The page of the benchmarks: ratios and milliseconds in sentences, memory in GiB, numbers that can be compared."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from diffred_core.drawing.speed import head_speed, in_words, milliseconds
from diffred_core.staging._figures import benchmarks, sentences_of

ROWS = pd.DataFrame(
    {
        "claim": ["c on elpv"] * 3 + ["d"] * 2,
        "side": ["ours", "slow", "quick", "ours", "other"],
        "role": ["ours", "peer", "peer", "ours", "peer"],
        "seconds": [0.002, 0.2, 0.0075, 1.0, 0.5],
        "runs": [3, 1, 2, 3, 3],
        "unit": "curve",
        "times_ours": [1, 100, 3.75, 1, 0.5],
        "facts": "n 3",
        "machine": "M, 2 cores",
    }
).assign(low=lambda rows: rows["seconds"], high=lambda rows: rows["seconds"])


def test_a_sentence_says_ratio_peer_runs_and_machine():
    first, second = sentences_of(in_words(ROWS))
    assert first == (
        "C on solar cells: 2 ms per curve (3 runs); 3.8 times as fast as quick (7.5 ms, 2 runs); 100 times as fast as "
        "slow (200 ms, 1 run); on M, 2 cores."
    )
    assert "0.50 times as fast as other" in second


def test_the_heading_is_of_the_fastest_peer_and_says_where_ours_is_slower():
    assert head_speed(ROWS) == "0.50 to 3.8 times as fast as the fastest peer; slower in 1 of 2 comparisons."
    assert head_speed(ROWS[:3]) == "3.8 times as fast as the fastest peer."
    assert head_speed(ROWS[:1]) == "No peer does the same work."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0008194, "0.819"), (0.12345, "123"), (17.98, "17,980"), (1212, "1,212,000")]
)
def test_times_are_in_milliseconds(seconds, text):
    assert milliseconds(seconds) == text


def test_memory_is_in_gib_and_has_no_figure_without_a_peer(tmp_path):
    (tmp_path / "results").mkdir()
    memory = ROWS[:1].assign(facts="rows 3; peak resident 1.29 GiB, of which 0.58 GiB stood before")
    memory.to_csv(tmp_path / "results" / "memory.csv", index=False)
    page, staged = benchmarks(tmp_path)
    assert "**At most 1.29 GiB of memory.**" in page
    assert list(staged) == ["downloads/benchmarks/memory.csv"]
    ROWS.to_csv(tmp_path / "results" / "memory.csv", index=False)
    page, staged = benchmarks(tmp_path)
    assert "GiB" not in page
    assert "_generated/benchmark-memory.png" in staged


def test_the_table_of_the_repository_is_right_aligned_and_named_for_readers():
    page, _ = benchmarks(Path(__file__).parent.parent / "benchmarks")
    assert "| comparison | side | median (ms) | fastest (ms) | slowest (ms) | runs | per | time over ours |" in page
    assert "|---|---|---:|---:|---:|---:|---|---:|" in page
    assert "times_ours" not in page
    assert "EfficientNet-Lite0 on solar cells" in page

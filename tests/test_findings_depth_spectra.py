"""Every figure of depth, of the tunnel's statistics and of the spectra is headed by what it shows, with its number."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from reference_tunnel_statistics import invented_table
from test_tunnel_statistics_figures import invented_slopes

from diffred_core import results
from diffred_core.chapters import depth, spectra, tunnel_paper
from diffred_core.chapters.spectra.cells import SCOPES
from diffred_core.chapters.tunnel_paper.effects import effect_rows
from diffred_core.chapters.tunnel_paper.sweep_statistics import as_results, average_rows, residual_rows
from diffred_core.drawing import Figure
from diffred_core.results import published

KEPT = Path(__file__).parents[1] / "kept"
TABLES = {  # files with figures, and the kept table that they can be drawn from
    "figures": "full/cifar10/cifar_resnet20/layers",
    "figures_accuracy": "full/cifar10/cifar_resnet20/layers",
    "figures_equal": "full/cifar10/cifar_resnet20/layers",
    "figures_factors": "many_classes/gtsrb/small_networks/tunnel_factors",
    "figures_networks": None,  # tests/test_small_networks_sweep.py
    "figures_swap": "small_networks/cifar10/vggm/tunnel_swap",
}
MOST_WORDS, MOST_LETTERS = 22, 120
UNLABELLED = "domains"  # a figure of the spectra that the kept table has no rows for


def figures_of(module):
    return {name: part for name, part in vars(module).items() if isinstance(part, Figure)}


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    table = invented_table(tmp_path_factory.mktemp("tunnel"))
    residuals = residual_rows(table, published.tunnel_accuracies())
    return as_results([*effect_rows(table, n_boot=300), *residuals, *average_rows(table), *invented_slopes()])


def kept(name):
    return results.read(KEPT / f"{name}.parquet")


def check(finding):
    assert re.fullmatch(r"[A-Z0-9].*\d.*\.", finding), finding
    assert ". " not in finding, finding
    assert len(finding.split()) <= MOST_WORDS, finding
    assert len(finding) <= MOST_LETTERS, finding
    assert "nan" not in finding.lower(), finding
    assert "_" not in finding, finding


def test_every_figure_of_these_rooms_has_a_finding():
    modules = [
        *(getattr(depth, name) for name in TABLES),
        tunnel_paper.figures,
        *(spectra.figures, spectra.figures_adaptation, spectra.figures_similarity),
    ]
    figures = [figure for module in modules for figure in figures_of(module).values()]
    across = spectra.figures_across
    figures += [across.correlations(), across.errors(), across.one_measure("nc1")]
    assert len(figures) >= 35
    assert all(figure.finding for figure in figures)


@pytest.mark.parametrize("module", [name for name, table in TABLES.items() if table])
def test_findings_of_depth_are_a_sentence_with_numbers_on_a_kept_table(module):
    table = kept(TABLES[module])
    for figure in figures_of(getattr(depth, module)).values():
        summary = figure.summary(table)
        if len(summary):
            check(figure.finding(summary))


@pytest.mark.parametrize("name", list(figures_of(spectra.figures)))
def test_findings_of_the_spectra_are_a_sentence_with_numbers_on_a_kept_table(name):
    figure = getattr(spectra.figures, name)
    summary = figure.summary(kept("full/cifar10/cifar_resnet20/spectra"))
    assert summary.empty == (name == UNLABELLED)
    if len(summary):
        check(figure.finding(summary))


@pytest.mark.parametrize("name", list(figures_of(tunnel_paper.figures)))
def test_findings_of_the_statistics_are_a_sentence_with_numbers(name, statistics):
    figure = getattr(tunnel_paper.figures, name)
    check(figure.finding(figure.summary(statistics)))


# ---- controls: a table in which the effect is reversed or absent is said in other words


def test_a_last_layer_that_is_the_best_loses_nothing():
    figure = depth.figures_accuracy.accuracy
    summary = figure.summary(kept(TABLES["figures"]))
    assert re.search(r"loses nothing to the best one on CIFAR-10, 0.7 to 4.2 points on other", figure.finding(summary))
    falling = summary.assign(mean=1 - summary["place"] / 100)
    assert "loses 9.0 points to the best one on CIFAR-10, 9.0 points on other" in figure.finding(falling)
    rising = summary.assign(mean=summary["place"] / 100)
    assert figure.finding(rising) == "The last layer loses nothing to the best one on CIFAR-10, nothing on other tasks."


def test_shifted_images_that_are_easier_are_said_to_reach_more():
    figure = depth.figures_accuracy.shift_accuracy
    summary = figure.summary(kept(TABLES["figures"]))
    assert "reaches less" in figure.finding(summary)
    easier = summary.assign(mean=summary["mean"].where(summary["method"] != "shift", 0.99))
    assert "reaches more, 99.0 % instead of" in figure.finding(easier)


@pytest.mark.parametrize(("name", "goes"), [("rank", "rises"), ("collapse", "falls")])
def test_a_measure_that_goes_the_other_way_is_said_to(name, goes):
    figure = getattr(depth.figures, name)
    summary = figure.summary(kept(TABLES["figures"]))
    assert f" {goes} from" in figure.finding(summary)
    back = summary.assign(place=summary["place"].max() + 1 - summary["place"])
    assert f" {'falls' if goes == 'rises' else 'rises'} from" in figure.finding(back)
    assert " stays from" in figure.finding(summary.assign(mean=2.0))


def test_changes_that_are_not_clear_are_said_to_be_none():
    figure = depth.figures_factors.change
    summary = figure.summary(kept(TABLES["figures_factors"]))
    assert re.match(r"\d of \d changes move", figure.finding(summary))
    unclear = summary.assign(low=-1.0, high=1.0)
    assert figure.finding(unclear) == "None of 3 changes moves what is retained clearly."
    fewer = depth.figures_factors.crossed
    rows = fewer.summary(kept(TABLES["figures_factors"]))
    assert "more pixels 9.6 more points" in fewer.finding(rows)
    assert "more pixels 9.6 fewer points" in fewer.finding(rows.assign(mean=100 - rows["mean"]))


def test_the_part_that_restores_more_is_named():
    figure = depth.figures_swap.swapped
    summary = figure.summary(kept(TABLES["figures_swap"]))
    assert figure.finding(summary).startswith("The old tunnel restores more of task 1 than the old extractor: ")
    other = {"E1+T2": "E2+T1", "E2+T1": "E1+T2"}
    exchanged = summary.assign(method=summary["method"].replace(other))
    assert figure.finding(exchanged).startswith("The old extractor restores more of task 1 than the old tunnel: ")
    assert "as much of task 1" in figure.finding(summary.assign(mean=0.5))


def test_effects_without_clear_intervals_are_said_to_be_none(statistics):
    figure = tunnel_paper.figures.effects
    summary = figure.summary(statistics)
    assert figure.finding(summary.assign(low=-1.0, high=1.0)).startswith("None of ")
    assert figure.finding(summary.assign(low=1.0, high=3.0, gain=2.0)).startswith("12 of 12 changes are clear")


def test_a_reading_that_fits_worse_is_not_said_to_be_the_best(statistics):
    figure = tunnel_paper.figures.label_residuals
    summary = figure.summary(statistics)
    worse = summary.assign(residual=summary["residual"].where(summary["reading"] != "exchanged", 1.0))
    assert "headings exchanged" not in figure.finding(worse)
    better = summary.assign(residual=summary["residual"].where(summary["reading"] != "exchanged", 1e-4))
    assert "Best fit: headings exchanged" in figure.finding(better)


def adapted(**reached):
    rows = [
        {"label": "elpv_mono", "place": 0, "size": "random part", "probe": probe, "mean": value}
        for probe, value in reached.items()
    ]
    return pd.DataFrame(rows)


def test_adaptation_that_costs_has_a_minus():
    figure = spectra.figures_adaptation.accuracy
    gain = adapted(label_aligned_stopped=0.6, least_squares=0.5, dann=0.7, head=0.6)
    loss = adapted(label_aligned_stopped=0.4, least_squares=0.5, dann=0.5, head=0.6)
    start = "On monocrystalline solar cells adaptation brings label alignment"
    assert figure.finding(gain) == f"{start} +10.0 points, DANN +10.0."
    assert figure.finding(loss) == f"{start} -10.0 points, DANN -10.0."
    check(figure.finding(gain))


def test_the_index_that_finds_most_layers_is_named():
    shares = pd.DataFrame(
        {"metric": ["cka", "svcca", "cka"], "recipe": ["trained", "trained", "untrained"], "value": [0.4, 0.1, 0.2]}
    )
    finding = spectra.figures_similarity.matched.finding
    assert finding(shares) == "The best index finds 40 % of the layers in another seed: CKA, untrained 20 %."
    other = finding(shares.assign(value=[0.1, 0.4, 0.2]))
    assert other == "The best index finds 40 % of the layers in another seed: SVCCA."


def test_a_best_measure_that_errs_more_than_the_mean_is_said_to():
    def errors(best):
        rows = {"label": ["best_measure", "mean_of_tasks"], "mean": [best, 0.15]}
        return pd.DataFrame(rows).assign(target="diffused_redundancy")

    finding = spectra.figures_across.errors(SCOPES[0]).finding
    assert "off by 10.0 points of redundancy, less than the mean (15.0)" in finding(errors(0.10))
    assert "off by 20.0 points of redundancy, more than the mean (15.0)" in finding(errors(0.20))

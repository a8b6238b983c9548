"""Estimates over a thousand draws of inspections: how far they are off, and how often intervals cover the truth."""

from functools import cache

import numpy as np
import pytest

from models.metrics.off_policy import Expected, Log, estimate
from tests.unit.models.metrics.test_off_policy import FIGURES, METHODS, ROWS, population

DRAWS = 1000


def truth():
    is_hit, revenue, _, chosen, _ = population()
    hits, money = (chosen * is_hit).sum(), (chosen * revenue).sum()
    return {
        "precision": hits / chosen.sum(),
        "recall": hits / is_hit.sum(),
        "revenue": money,
        "revenue_share": money / revenue.sum(),
    }


def of_a_fixed_size(propensity, generator):
    """Rows drawn with these chances, always as many (but for one) as they add up to: systematically, in any order."""
    order = generator.permutation(ROWS)
    ticks = np.floor(propensity[order].cumsum() + generator.random())
    is_drawn = np.zeros(ROWS, bool)
    is_drawn[order] = np.diff(ticks, prepend=0) > 0
    return is_drawn


@cache
def drawn(model="good", sampling="independent"):
    """Value, low and high of each figure in 1,000 draws of inspections: {(method, figure): draws x 3}."""
    is_hit, revenue, propensity, chosen, chance = population()
    hit = {"good": chance, "bad": 0.3 * chance}[model]
    expected, generator = Expected(hit, 240 * hit), np.random.default_rng(3)
    found = []
    for _ in range(DRAWS):
        is_inspected = (
            of_a_fixed_size(propensity, generator) if sampling == "fixed" else generator.random(ROWS) < propensity
        )
        found.append(estimate(Log(is_inspected, propensity, is_hit, revenue), chosen, expected, 0.95))
    every = {(method, figure): [getattr(getattr(one, method), figure) for one in found]
             for method in METHODS for figure in FIGURES}  # fmt: skip
    return {key: np.array([(one.value, one.low, one.high) for one in ones]) for key, ones in every.items()}


def standard_errors_off(values, target):
    return (values.mean() - target) / (values.std() / np.sqrt(len(values)))


@pytest.mark.parametrize("model", ["good", "bad"])
@pytest.mark.parametrize("method", ["ipw", "dr"])
@pytest.mark.parametrize("figure", ["precision", "revenue"])
def test_totals_are_unbiased_whatever_the_model_says(method, figure, model):
    assert abs(standard_errors_off(drawn(model)[method, figure][:, 0], truth()[figure])) < 3.5


@pytest.mark.parametrize("method", ["ipw", "snipw", "dr"])
@pytest.mark.parametrize("figure", FIGURES)
def test_ratios_are_off_by_little(method, figure):
    assert drawn()[method, figure][:, 0].mean() == pytest.approx(truth()[figure], rel=0.05)


def test_the_naive_figures_are_visibly_biased():
    naive = {figure: drawn()["naive", figure][:, 0].mean() / truth()[figure] for figure in FIGURES}
    assert naive["recall"] > 1.5
    assert naive["revenue_share"] > 1.5
    assert naive["revenue"] < 0.9


def covered(figures, figure, method):
    _, low, high = figures[method, figure].T
    return ((low <= truth()[figure]) & (truth()[figure] <= high)).mean()


@pytest.mark.parametrize("model", ["good", "bad"])
@pytest.mark.parametrize("method", ["ipw", "snipw", "dr"])
@pytest.mark.parametrize("figure", FIGURES)
def test_intervals_cover_the_truth_about_as_often_as_they_say(method, figure, model):
    assert 0.91 <= covered(drawn(model), figure, method) <= 0.99


@pytest.mark.parametrize("method", ["ipw", "snipw", "dr"])
@pytest.mark.parametrize("figure", FIGURES)
def test_draws_of_a_fixed_size_are_covered_too(method, figure):
    assert covered(drawn(sampling="fixed"), figure, method) >= 0.91


def test_the_naive_interval_misses_the_recall():
    assert covered(drawn(), "recall", "naive") < 0.05


def test_a_good_model_makes_doubly_robust_figures_surer():
    for figure in ("precision", "recall", "revenue"):
        assert drawn()["dr", figure][:, 0].std() < 0.95 * drawn()["ipw", figure][:, 0].std()


def test_intervals_lie_within_what_is_possible():
    for (_, figure), values in drawn("bad").items():
        assert (values[:, 1] >= 0).all()
        assert (values[:, 1] <= values[:, 2]).all()
        if figure != "revenue":
            assert (values[:, 2] <= 1).all()

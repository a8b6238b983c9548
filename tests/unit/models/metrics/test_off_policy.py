from functools import cache

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from models.metrics.off_policy import Expected, Log, SelectionEstimates, estimate

METHODS = ("naive", "ipw", "snipw", "dr")
FIGURES = ("precision", "recall", "revenue", "revenue_share")
ROWS, DRAWS = 2500, 1000


@cache
def population():
    """Rows of known truth, the chances with which they are inspected, and a selection that is not the logged one."""
    generator = np.random.default_rng(7)
    risk = generator.normal(size=ROWS)
    chance = 1 / (1 + np.exp(1.2 - 1.3 * risk))
    is_hit = generator.random(ROWS) < chance
    revenue = is_hit * generator.lognormal(5, 1, ROWS)
    rank = np.argsort(np.argsort(generator.normal(0, 0.8, ROWS) - risk)) / ROWS
    propensity = np.select([rank < 0.08, rank < 0.2], [1.0, 0.5], 0.1)
    chosen = (risk >= np.sort(risk)[-ROWS // 10]).astype(float)
    return is_hit, revenue, propensity, chosen, chance


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


def test_a_stratum_in_which_nothing_was_found_is_not_one_without_hits():
    # 100 rows inspected for sure, 90 of them hits; of 5,000 others 50 were drawn, by chance none a hit.
    propensity = np.repeat([1.0, 0.01], [100, 5000])
    is_inspected = np.arange(5100) < 150
    is_hit = np.arange(5100) < 90
    chosen = (propensity == 1).astype(float)
    log = Log(is_inspected, propensity, is_hit, is_hit * 10.0)
    found = estimate(log, chosen, Expected(np.where(chosen == 1, 0.9, 0.0), np.zeros(5100)), 0.95)
    for by in (found.ipw, found.dr):
        assert by.recall.value == 1
        # By the rule of three, up to 3 / 50 of the others may be hits: 300.
        assert 90 / (90 + 400) < by.recall.low < 90 / (90 + 250)
    assert found.naive.recall.low > 0.9
    assert (found.ipw.precision.low, found.ipw.precision.high) == (0.9, 0.9)


def test_where_everything_was_inspected_every_estimate_is_the_plain_figure():
    is_hit, revenue, _, chosen, chance = population()
    everything = Log(np.ones(ROWS, bool), np.ones(ROWS), is_hit, revenue)
    found = estimate(everything, chosen, Expected(chance, 240 * chance), 0.95)
    plain = {
        "precision": precision_score(is_hit, chosen),
        "recall": recall_score(is_hit, chosen),
        "revenue": revenue[chosen == 1].sum(),
        "revenue_share": recall_score(is_hit, chosen, sample_weight=revenue),
    }
    for method in METHODS:
        for figure in FIGURES:
            one = getattr(getattr(found, method), figure)
            assert one.value == pytest.approx(plain[figure])
            if method != "naive":
                assert (one.low, one.high) == pytest.approx((plain[figure], plain[figure]))
    assert found.effective_rows == found.inspected == ROWS
    assert found.effective_chosen == pytest.approx(found.chosen)


def test_effective_rows_fall_with_unequal_weights():
    is_inspected = np.array([True, True, True, False])
    log = Log(is_inspected, np.array([1.0, 0.5, 0.1, 0.1]), is_inspected, np.zeros(4))
    found = estimate(log, np.array([1.0, 1.0, 0.0, 1.0]), Expected(np.zeros(4), np.zeros(4)), 0.9)
    assert found.effective_rows == pytest.approx(13**2 / (1 + 4 + 100))
    assert found.effective_chosen == pytest.approx(9 / 5)


def test_estimates_survive_the_way_to_json_and_back():
    is_hit, revenue, propensity, chosen, chance = population()
    log = Log(np.random.default_rng(1).random(ROWS) < propensity, propensity, is_hit, revenue)
    found = estimate(log, chosen, Expected(chance, chance), 0.95)
    assert SelectionEstimates.model_validate_json(found.model_dump_json()) == found


def test_what_is_not_defined_says_why():
    none, rows = np.zeros(20), np.zeros(20, bool)
    log = Log(rows, np.full(20, 0.1), rows, none)
    found = estimate(log, none, Expected(none, none), 0.95)
    assert found.ipw.precision.reason == "nothing is chosen"
    assert found.ipw.recall.reason == "no hits found"
    assert found.snipw.revenue.reason == "no row was inspected"
    assert found.naive.precision.reason == "no chosen row was inspected"
    assert found.dr.revenue_share.reason == "nothing recovered or expected"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensity": [0.5, 0.0, 0.5]}, r"propensity is 0\.0 at row 1; allowed: above 0, at most 1"),
        ({"propensity": [0.5, 0.5, np.nan]}, "propensity is nan at row 2; allowed: above 0, at most 1"),
        ({"propensity": [1.5, 0.5, 0.5]}, r"propensity is 1\.5 at row 0; allowed: above 0, at most 1"),
        ({"propensity": [0.5, 0.5]}, r"propensity has shape \(2,\); allowed: \(3,\), one a row"),
        ({"revenue": [-1.0, 0.0, 0.0]}, r"revenue is -1\.0 at row 0; allowed: a finite amount from 0 where inspected"),
    ],
)
def test_a_row_that_cannot_be_weighted_is_named(change, message):
    values = {"propensity": [0.5, 0.5, 0.5], "revenue": [0.0, 0.0, np.nan]} | change
    with pytest.raises(ValueError, match=message):
        Log(
            np.array([True, True, False]),
            np.array(values["propensity"]),
            np.zeros(3, bool),
            np.array(values["revenue"]),
        )


@pytest.mark.parametrize(
    ("chosen", "hit", "money", "message"),
    [
        ([1.0, 2.0], [0.1, 0.1], [1.0, 1.0], r"chosen is 2\.0 at row 1; allowed: 0 to 1"),
        ([1.0, 0.0], [np.nan, 0.1], [1.0, 1.0], r"expected\.hit is nan at row 0; allowed: 0 to 1"),
        ([1.0, 0.0], [0.1, 0.1], [1.0, np.inf], r"expected\.revenue is inf at row 1; allowed: a finite number from 0"),
    ],
)
def test_a_selection_or_model_out_of_range_is_refused(chosen, hit, money, message):
    log = Log(np.array([True, False]), np.array([0.5, 0.5]), np.array([True, False]), np.zeros(2))
    with pytest.raises(ValueError, match=message):
        estimate(log, np.array(chosen), Expected(np.array(hit), np.array(money)), 0.95)

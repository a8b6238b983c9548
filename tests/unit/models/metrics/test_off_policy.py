from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import gamma
from sklearn.metrics import precision_score, recall_score

from models.metrics.off_policy import Expected, Log, SelectionEstimates, estimate

METHODS = ("naive", "ipw", "snipw", "dr")
FIGURES = ("precision", "recall", "revenue", "revenue_share")
ROWS = 2500


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
        ({"propensity": [0.5, 0.0, 1.5]}, r"propensity is 0\.0 at row 1; allowed: above 0, at most 1"),
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


def test_a_few_rows_worked_out_by_hand():
    log = Log(
        is_inspected=np.array([True, True, True, False]),
        propensity=np.array([1.0, 0.5, 0.25, 0.5]),
        is_hit=np.array([True, True, False, True]),
        revenue=np.array([100.0, 40.0, 0.0, 1e9]),
    )
    chosen = np.array([1.0, 0.5, 1.0, 0.25])
    expected = Expected(np.array([0.5, 0.25, 0.1, 0.4]), np.array([50.0, 20.0, 5.0, 40.0]))
    found = estimate(log, chosen, expected, 0.9)
    assert (found.rows, found.inspected, found.hits, found.chosen, found.confidence) == (4, 3, 2, 2.75, 0.9)
    # Weights are 1, 2 and 4; those of chosen rows 1, 1 and 4.
    assert found.effective_rows == pytest.approx(49 / 21)
    assert found.effective_chosen == pytest.approx(36 / 18)
    values = {
        "naive": (1.5 / 2.5, 1.5 / 2, 120, 120 / 140),
        "ipw": (2 / 2.75, 2 / 3, 140, 140 / 180),
        "snipw": (2 / 6, 2 / 3, 4 * 140 / 7, 140 / 180),
        # What is expected, and what was found beyond it by weight: 0.825 + 0.85 hits chosen, 0.425 + 0.75 others;
        # 75 + 50 of the revenue chosen, 40 + 20 of the rest.
        "dr": (1.675 / 2.75, 1.675 / 2.85, 125, 125 / 185),
    }
    for method, of_method in values.items():
        for figure, value in zip(FIGURES, of_method, strict=True):
            assert getattr(getattr(found, method), figure).value == pytest.approx(value), (method, figure)


def mid_p(value, variance, already, step, level):
    """The quantile of the even mixture of two gamma distributions, of the moments as they are and with one more."""
    moments = [(value - already, variance), (value - already + step, variance + step**2)]
    parts = [gamma(mean**2 / spread, scale=spread / mean) for mean, spread in moments]
    return already + brentq(lambda x: sum(part.cdf(x) for part in parts) / 2 - level, 0, 1e9, xtol=1e-12, rtol=1e-13)


def bounds(log, part, values, model, one, tail):
    """Value, low and high of a weighted total, from the moments of its rows one by one."""
    sides = []
    for sign in (1, -1):
        total = already = variance = step = 0.0
        for row, chance in enumerate(log.propensity):
            possible = one - model[row] if sign == 1 else model[row]
            step = max(step, part[row] * max(possible, 0) * np.sqrt(1 - chance) / chance)
            if log.is_inspected[row]:
                error = part[row] * max(sign * (values[row] - model[row]), 0)
                total, already = total + error / chance, already + error
                variance += error**2 * (1 - chance) / chance**2
        sides.append((total, *(mid_p(total, variance, already, step, level) for level in (tail, 1 - tail)))
                     if step else (total, total, total))  # fmt: skip
    short, excess = sides
    value = sum(part * model) + short[0] - excess[0]
    found = sum(part[row] * values[row] for row in np.flatnonzero(log.is_inspected))
    low = value - np.sqrt((short[0] - short[1]) ** 2 + (excess[2] - excess[0]) ** 2)
    high = value + np.sqrt((short[2] - short[0]) ** 2 + (excess[0] - excess[1]) ** 2)
    return value, max(low, found), high


def lowest_share(part, rest):
    """The lower limit of part / (part + rest), by that of the ratio as Donner and Zou write it."""
    (a, low, _), (b, _, high) = part, rest
    lower, upper = low * (2 * a - low), high * (2 * b - high)
    odds = (a * b - np.sqrt((a * b) ** 2 - lower * upper)) / upper
    return odds / (1 + odds)


@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_intervals_are_those_of_the_moments_row_by_row(confidence):
    generator, rows, tail = np.random.default_rng(5), 40, (1 - confidence) / 2
    propensity = generator.uniform(0.2, 0.95, rows)
    is_hit, is_inspected = generator.random(rows) < 0.6, generator.random(rows) < 0.8
    revenue = np.where(is_hit, generator.uniform(20, 60, rows), 0.0)
    chosen = generator.uniform(0.3, 0.7, rows)
    expected = Expected(generator.uniform(0.2, 0.9, rows), generator.uniform(5, 60, rows))
    log = Log(is_inspected, propensity, is_hit, revenue)
    found = estimate(log, chosen, expected, confidence)

    one = np.sqrt((revenue[is_inspected & is_hit] ** 2).mean())
    hit, miss, money = is_inspected & is_hit, is_inspected & ~is_hit, np.where(is_inspected, revenue, 0.0)
    none, left = np.zeros(rows), 1 - chosen
    by_model = {"ipw": (none, none), "dr": (expected.hit, expected.revenue)}
    totals = {
        (method, name): bounds(log, part, values, model, worth, tail)
        for method, (hits, amounts) in by_model.items()
        for name, part, values, model, worth in (
            ("hits", chosen, hit.astype(float), hits, 1.0),
            ("other hits", left, hit.astype(float), hits, 1.0),
            ("money", chosen, money, amounts, one),
            ("other money", left, money, amounts, one),
            ("misses", chosen, miss.astype(float), none, 1.0),
        )
    }
    for name, part, values, worth in (
        ("hits", chosen, hit, 1.0), ("other hits", left, hit, 1.0), ("misses", chosen, miss, 1.0),
        ("money", chosen, money, one), ("other money", left, money, one),
    ):  # fmt: skip
        value, variance = (part * values).sum(), (part**2 * values**2).sum()
        totals["naive", name] = (value, *(mid_p(value, variance, 0, worth, level) for level in (tail, 1 - tail)))

    def is_between(estimate, low, high):
        assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=1e-7)

    def is_share(estimate, part, rest):
        is_between(estimate, lowest_share(part, rest), 1 - lowest_share(rest, part))

    for method in ("naive", "ipw", "dr"):
        by, of = getattr(found, method), {name: total for (each, name), total in totals.items() if each == method}
        is_between(by.revenue, *of["money"][1:])
        is_share(by.recall, of["hits"], of["other hits"])
        is_share(by.revenue_share, of["money"], of["other money"])
        if method == "naive":
            is_share(by.precision, of["hits"], of["misses"])
        else:
            is_between(by.precision, of["hits"][1] / chosen.sum(), min(of["hits"][2] / chosen.sum(), 1))
    is_share(found.snipw.precision, totals["ipw", "hits"], totals["ipw", "misses"])
    assert (found.snipw.recall, found.snipw.revenue_share) == (found.ipw.recall, found.ipw.revenue_share)

    weight = is_inspected / propensity
    mean, scale = (weight * chosen * money).sum() / weight.sum(), rows / weight.sum()
    variance = scale**2 * sum(
        (1 - propensity[row]) * (weight[row] * (chosen[row] * money[row] - mean)) ** 2 for row in range(rows)
    )
    step = scale * one * max(chosen * np.sqrt(1 - propensity) / propensity)
    already = (chosen * money).sum()
    is_between(found.snipw.revenue, *(mid_p(mean * rows, variance, already, step, level) for level in (tail, 1 - tail)))


@pytest.mark.parametrize(("hits", "one"), [([0.5, 0.25], 40.0), ([0.0, 0.0], 0.0)])
def test_where_no_hit_was_found_one_more_is_worth_what_the_model_expects_of_it(hits, one):
    log = Log(np.array([True, False]), np.array([0.5, 0.5]), np.zeros(2, bool), np.zeros(2))
    expected = Expected(np.array(hits), 40 * np.array(hits))
    found = estimate(log, np.ones(2), expected, 0.95)
    # Nothing was found, so all the weight beside 0 is on one more hit; the weight of the heaviest row is sqrt(2).
    high = one * np.sqrt(2) * -np.log(2 * 0.025)
    assert (found.ipw.revenue.value, found.ipw.revenue.low) == (0, 0)
    assert found.ipw.revenue.high == pytest.approx(high)
    assert found.naive.revenue.high == pytest.approx(one * -np.log(2 * 0.025))
    assert found.ipw.precision.high == 1
    assert found.ipw.precision.low == 0


def test_no_rows_hold_nothing_for_sure():
    none, rows = np.zeros(0), np.zeros(0, bool)
    found = estimate(Log(rows, none, rows, none), none, Expected(none, none), 0.95)
    assert (found.rows, found.inspected, found.hits, found.chosen) == (0, 0, 0, 0)
    for by in (found.naive, found.ipw, found.dr):
        assert (by.revenue.low, by.revenue.value, by.revenue.high) == (0, 0, 0)
    assert found.snipw.revenue.reason == "no row was inspected"
    assert found.ipw.precision.reason == "nothing is chosen"


def test_a_certain_part_has_no_interval_and_is_told_with_the_rest():
    log = Log(np.array([True, True, False]), np.array([1.0, 1.0, 0.5]), np.array([True, False, False]), np.zeros(3))
    found = estimate(log, np.array([1.0, 1.0, 0.0]), Expected(np.zeros(3), np.zeros(3)), 0.95)
    assert (found.ipw.precision.low, found.ipw.precision.value, found.ipw.precision.high) == (0.5, 0.5, 0.5)
    assert (found.snipw.precision.low, found.snipw.precision.high) == pytest.approx((0.5, 0.5))
    assert found.ipw.recall.high == 1
    # Up to -sqrt(2) log(0.05) hits may be among the rest.
    assert found.ipw.recall.low == pytest.approx(1 / (1 - np.sqrt(2) * np.log(0.05)))

"""Burden has what must hold for any selection: shares add up, order does not matter, and costs scale."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models import burden, policy
from models.metrics.bootstrap import Estimate
from models.policy import LANES, Cost
from tests.support.examples import examples

DEFAULT = policy.load()
POLICY = DEFAULT.model_copy(
    update={
        "evaluation": DEFAULT.evaluation.model_copy(update={"bootstrap_resamples": 100}),
        "burden": DEFAULT.burden.model_copy(update={"min_rows": 3}),
    }
)
untimed = settings(deadline=None, max_examples=examples(25))
MONEY = ("officer_cost", "delay_cost", "cost", "cost_per_hit")


@st.composite
def problems(draw):
    """Labelled rows with a lane where it may be inspected, and the chances of two selections."""
    size = draw(st.integers(1, 25))

    def some(values):
        return draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))

    is_hit = np.array(some([True, False]))
    chance, other = (draw(arrays.arrays(np.int64, size, elements=st.integers(0, 4))) / 4 for _ in range(2))
    rows = pl.DataFrame(
        {
            "declaration_id": [f"D{i}" for i in range(size)],
            "item_number": pl.Series([1] * size, dtype=pl.Int32),
            "office": some(["10", "20", None]),
            "origin_country": some(["CN", "DE", "BR", "ZZ"]),
            "importer_declarations_365d": pl.Series(some([0.0, 5.0, 50.0, 500.0, None]), dtype=pl.Float32),
            "currency": ["USD"] * size,
            "lane": some(LANES),
            "is_illicit": is_hit,
            "recovered_revenue": np.where(is_hit, some([0.0, 10.0, 2500.0]), 0.0),
        },
        schema_overrides={"office": pl.String},
    )
    return (rows if draw(st.booleans()) else rows.drop("lane")), {"model": chance, "risk_profile": other}


def values(report):
    """Every estimate of a report, by where it stands."""
    parts = {(one.dimension, one.value): one for one in (report.everyone, *report.groups)}
    parts |= {(one.name, "total"): one.total for one in report.selections}
    parts |= {(one.name, lane): part for one in report.selections for lane, part in one.lanes.items()}
    return {
        (*place, name): figure.value
        for place, part in parts.items()
        for name, figure in part
        if isinstance(figure, Estimate)
    }


@given(problems())
@untimed
def test_the_groups_of_a_dimension_share_everything_among_them(problem):
    rows, selections = problem
    report = burden.measure(rows, selections, POLICY)
    chance, is_hit = selections["model"], rows["is_illicit"].to_numpy()
    for dimension in ("origin", "importer size", "importer", "office"):
        parts = [one for one in report.groups if one.dimension == dimension]
        assert sum(one.rows for one in parts) == rows.height
        assert sum(one.hits for one in parts) == is_hit.sum()
        assert sum(one.rows * one.selection_rate.value for one in parts) == pytest.approx(chance.sum())
        assert sum(one.rows * one.wasted_rate.value for one in parts) == pytest.approx((chance * ~is_hit).sum())
        if chance.any():
            assert sum(one.inspected_share.value for one in parts) == pytest.approx(1)
        if (chance * ~is_hit).any():
            assert sum(one.wasted_share.value for one in parts) == pytest.approx(1)


@given(problems())
@untimed
def test_a_code_is_a_group_where_it_has_enough_rows_and_pooled_elsewhere(problem):
    rows, selections = problem
    groups = burden.measure(rows, selections, POLICY).groups
    for dimension, column in (("origin", "origin_country"), ("office", "office")):
        sizes = Counter(code or burden.UNKNOWN for code in rows[column])
        expected = {code: size for code, size in sizes.items() if size >= POLICY.burden.min_rows}
        if rest := rows.height - sum(expected.values()):
            expected[burden.OTHER] = rest
        assert {one.value: one.rows for one in groups if one.dimension == dimension} == expected


@given(problems(), st.randoms(use_true_random=False))
@untimed
def test_the_order_of_rows_does_not_matter(problem, random):
    rows, selections = problem
    order = list(range(rows.height))
    random.shuffle(order)
    shuffled = burden.measure(rows[order], {name: chance[order] for name, chance in selections.items()}, POLICY)
    assert shuffled == burden.measure(rows, selections, POLICY)


@given(problems(), st.sampled_from([0.25, 3.0, 100.0]))
@untimed
def test_costs_scale_with_the_price_of_an_hour(problem, factor):
    rows, selections = problem
    usual = POLICY.costs["USD"]
    dearer = Cost(officer_hour=factor * usual.officer_hour, delay_hour=factor * usual.delay_hour)
    one = values(burden.measure(rows, selections, POLICY))
    other = values(burden.measure(rows, selections, POLICY.model_copy(update={"costs": {"USD": dearer}})))
    for place, value in one.items():
        scale = factor if place[-1] in MONEY else 1 / factor if place[-1] == "return_on_inspection" else 1
        assert other[place] == (None if value is None else pytest.approx(scale * value))


@given(problems())
@untimed
def test_chance_inspects_as_many_and_hits_at_the_base_rate(problem):
    rows, selections = problem
    report = burden.measure(rows, selections, POLICY)
    effort = {one.name: one.total for one in report.selections}
    inspected = selections["model"].sum()
    assert effort["random"].inspected.value == pytest.approx(inspected)
    expected = inspected * rows["is_illicit"].mean()
    assert effort["random"].hits.value == pytest.approx(expected)
    if inspected:
        assert effort["random"].officer_hours.value == pytest.approx(effort["model"].officer_hours.value)


@given(problems())
@untimed
def test_an_interval_holds_no_impossible_share(problem):
    rows, selections = problem
    for one in burden.measure(rows, selections, POLICY).groups:
        for figure in (one.selection_rate, one.hit_rate, one.wasted_rate, one.inspected_share, one.wasted_share):
            if figure.low is not None:
                assert -1e-12 <= figure.low <= figure.high <= 1 + 1e-12

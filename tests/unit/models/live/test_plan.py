"""The plan of a day: what it is made of, that it is the same each time, and that it survives being written down."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from models.live.plan import Plan, plan_day
from models.live.prices import Demand, prices
from models.policy import Capacity
from tests.support import live_offices
from tests.support.live_offices import DAY, EVEN, NOTHING, past, plan, targeting


def test_a_plan_is_json_to_the_bit_and_has_a_digest():
    ours = plan(targeting())
    again = Plan.from_json(ours.as_json())
    assert again == ours
    assert again.as_json() == ours.as_json()
    assert again.digest == ours.digest != plan(targeting((4, 3, 3))).digest

    with pytest.raises(ValueError, match="JSON"):  # which has no infinite numbers, and a digest of them would not hold
        replace(ours, hit_value=math.inf).as_json()


def test_the_order_of_the_past_and_what_lies_outside_of_its_weeks_do_not_matter():
    rows = past()
    others = past("020", daily=20)
    ours = plan(targeting(), pl.concat([rows, others]))
    old = rows.with_columns(pl.col("accepted_at") - timedelta(days=28))
    future = rows.with_columns(pl.col("accepted_at") + timedelta(days=28))
    assert plan(targeting(), pl.concat([future, others, rows.reverse(), old])) == ours


def test_lanes_have_the_places_of_the_policy():
    own, shared = plan(targeting()), plan(targeting(own=None))
    assert [(lane.name, lane.daily, lane.share, lane.carried_days) for lane in own.lanes] == [
        ("red", 4, 0, 0),
        ("yellow", 3, 0, 5),
        ("blue", 2, 0, 5),
    ]
    assert [lane.daily for lane in shared.lanes] == pytest.approx([1.6, 1.6, 0.8])
    assert [lane.share for lane in shared.lanes] == [0.04, 0.04, 0.02]
    assert [lane.rounding for lane in shared.lanes] == list(EVEN)


def test_lanes_are_filled_by_how_much_they_detect():
    ours = targeting()
    lanes = ours.lanes.model_copy(update={"blue": ours.lanes.blue.model_copy(update={"detects": 0.95})})
    assert plan(ours.model_copy(update={"lanes": lanes})).by_detects == (2, 0, 1)


def test_a_hit_counts_what_the_model_says_and_the_policys_bonus():
    rows = past()
    worth = rows["score"] * (rows["revenue_if_illicit"] + 500)
    assert plan(targeting(online_hit_bonus=0.0), rows).hit_value == 500
    found = plan(targeting(online_hit_bonus=0.4), rows).hit_value
    assert found == pytest.approx(500 + 0.4 * worth.sum() / rows["score"].sum())


def test_an_office_with_little_past_goes_by_what_all_offices_scored():
    others = past("020", daily=20)
    few = pl.concat([past(daily=3), others])
    assert plan(targeting(online_hit_bonus=1.0), few).hit_value == pytest.approx(
        plan(targeting(online_hit_bonus=1.0), others).hit_value, rel=0.1
    )
    enough = pl.concat([past(daily=4), others])
    alone = plan(targeting(online_hit_bonus=1.0), past(daily=4))
    assert plan(targeting(online_hit_bonus=1.0), enough).hit_value == alone.hit_value


def test_without_any_past_places_go_to_those_who_come_first():
    ours = plan(targeting(), NOTHING)
    assert ours.hit_value == 0
    assert {price for pool in ours.prices for row in pool.of for price in row} == {0.0}


def test_cutoffs_rise_with_demand_and_fall_with_places():
    few, many = plan(targeting((2, 2, 2), (0, 0, 0))), plan(targeting((9, 9, 9), (0, 0, 0)))
    assert few.prices[2].price(6, 40) > many.prices[2].price(27, 40) > 0
    assert few.prices[0].price(2, 40) > few.prices[1].price(4, 40) > few.prices[2].price(6, 40)
    busy = plan(targeting((2, 2, 2), (0, 0, 0)), past(daily=400))
    assert busy.prices[2].price(6, 400) > few.prices[2].price(6, 40)


@pytest.mark.parametrize("are_carried", [False, True])
@pytest.mark.parametrize(("exploring", "tenth", "others"), [(0.0, 0.0, 0.0), (0.2, 1.0, 1 - 0.9 * (1 - 0.2 * 9 / 40))])
def test_prices_count_what_takes_a_place_whatever_it_costs(are_carried, exploring, tenth, others):
    """That is chance, one critical item in ten, and what explores: a fifth of 9 places, among 40 items a day.

    Where nothing is carried, chance has places of its own, but it still takes those of the best lanes.
    """
    critical = pl.when(pl.int_range(pl.len()) % 10 == 0).then(tenth).otherwise(0.0)
    rows = past().with_columns(critical=critical)
    ours = plan(targeting((4, 3, 2), (0, 5, 5) if are_carried else (0, 0, 0), random_share=0.3), rows, exploring)
    worth = (rows["score"] * (rows["revenue_if_illicit"] + ours.hit_value)).sort().to_numpy()
    with_chance = 1 - 0.7 * (1 - others)
    shares = (with_chance, with_chance, with_chance if are_carried else others)
    hard, kept = [(4.0, 0.0, 0), (7.0, 0.0, 0), (9.0, 0.0, 0)], [(4.0, 0.0, 0), (4.0, 3.0, 5), (4.0, 5.0, 5)]
    for found, taken, pool in zip(ours.prices, shares, kept if are_carried else hard, strict=True):
        expected = prices(Demand(worth, ours.forecast.today, ours.forecast.usual, taken), *pool)
        assert (found.bundle, found.coming) == (expected.bundle, expected.coming)
        np.testing.assert_allclose(found.of, expected.of, rtol=1e-9, atol=1e-9)


def test_a_column_that_is_missing_is_named():
    with pytest.raises(ValueError, match=r"columns \['critical'\] are not in the past declarations"):
        plan_day("010", DAY, past().drop("critical"), targeting(), EVEN)


def test_an_office_with_no_place_at_all_has_a_plan():
    ours = targeting().model_copy(update={"offices": {"010": Capacity(red=0, yellow=0, blue=0)}})
    assert live_offices.plan(ours).prices[2].price(0, 10) == float("inf")

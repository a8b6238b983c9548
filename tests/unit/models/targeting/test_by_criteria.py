"""What criteria give at night, worked out by hand, and what is left for the others."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models import policy
from models.policy import Capacity
from models.targeting import lanes
from models.targeting.by_criteria import give
from tests.support.criteria import criterion

DAY = date(2024, 5, 2)
POLICY = policy.load().targeting
SHARE = 0.01


def targeting(red, yellow, blue):
    own = {"010": Capacity(red=red, yellow=yellow, blue=blue)}
    return POLICY.model_copy(update={"offices": own, "random_share": SHARE})


def frame(*rows):
    """Rows of office 010 by score and whether they are critical; each was accepted an hour before the one above it."""
    return pl.DataFrame(
        {
            "declaration_id": [f"D{number}" for number in range(len(rows))],
            "item_number": pl.Series([1] * len(rows), dtype=pl.Int32),
            "office": ["010"] * len(rows),
            "accepted_on": [DAY] * len(rows),
            "accepted_at": [datetime(2024, 5, 2, 20) - timedelta(hours=number) for number in range(len(rows))],
            "score": [float(score) for score, _ in rows],
            "critical": [0.9 * is_critical for _, is_critical in rows],
            "revenue_if_illicit": [100.0] * len(rows),
            "hit_value": [50.0] * len(rows),
        }
    )


def test_places_go_in_the_order_of_acceptance_as_long_as_the_criterion_has_any():
    rows, ours = frame(*[(0.01, False)] * 5), criterion(places=2, lane="yellow")
    given = give(rows, [(ours,)] * 5, targeting(1, 4, 1), {})
    assert given.lane == [None, None, None, "yellow", "yellow"]  # D4 and D3 came first
    assert given.criterion == [None, None, None, "watched", "watched"]
    assert sum(given.places["010"].__dict__.values()) == 2
    assert give(rows, [(ours,)] * 5, targeting(1, 4, 1), {("010", "watched"): 2}).places == {}
    assert give(rows, [(ours,)] * 5, targeting(1, 4, 1), {("010", "watched"): 1, ("020", "watched"): 2}).lane[4]


def test_chance_and_critical_goods_keep_their_places():
    ours, rows = criterion(places=9), frame((0.01, True), (0.02, False), (0.03, False))
    met = [(ours,)] * 3
    assert give(rows, met, targeting(1, 1, 0), {}).lane == [None, None, None]  # one is for D0, and a part for chance
    assert give(rows, met, targeting(1, 1, 1), {}).lane == [None, None, "yellow"]
    for blue in (2, 9):
        assert give(rows, met, targeting(1, 1, blue), {}).criterion == [None, "watched", "watched"]


def test_a_row_that_ranks_high_gets_no_lower_lane_than_its_rank_asks_for():
    ours, rows = criterion(lane="blue", places=9), frame((0.9, False), (0.5, False), (0.1, False), (0.05, False))
    given = give(rows, [(ours,)] * 4, targeting(1, 1, 3), {})
    assert given.lane == ["red", "yellow", "blue", "blue"]


def test_where_its_lane_is_full_it_goes_to_the_next_and_then_to_a_better_one():
    rows = frame((0.9, False), (0.01, False), (0.01, False))
    for own, places, lane in (
        ("red", (0, 2, 1), "yellow"),
        ("blue", (1, 1, 0), "yellow"),
        ("yellow", (1, 0, 1), "blue"),
    ):
        assert give(rows, [(), (), (criterion(lane=own),)], targeting(*places), {}).lane[2] == lane


def test_shares_of_a_place_are_no_place():
    rows = pl.concat([frame(*[(0.01, False)] * 20)]).with_columns(office=pl.lit("020"))
    given = give(rows, [(criterion(places=9),)] * 20, targeting(0, 0, 0), {})  # 0.8 red, 0.8 yellow, 0.4 blue
    assert set(given.lane) == {None}
    more = pl.concat([rows, rows.with_columns(declaration_id=pl.lit("E") + pl.col("declaration_id"))])
    assert {lane for lane in give(more, [(criterion(places=9),)] * 40, targeting(0, 0, 0), {}).lane if lane} == {
        "red",
        "yellow",
    }


def test_what_is_given_comes_off_the_places_of_the_others_and_the_day_stays_as_long():
    ours = targeting(3, 2, 1)
    assert lanes.capacity("010", 7, ours, lanes.Capacity(1, 2, 0)) == lanes.Capacity(2, 0, 1)
    shared = lanes.capacity("020", 47, ours, lanes.Capacity(1, 2, 0))
    whole = lanes.capacity("020", 50, ours)
    assert (shared.red, shared.yellow, shared.blue) == (whole.red - 1, whole.yellow - 2, whole.blue)


def test_the_others_have_exact_chances_of_what_is_left():
    """Over many draws, each of the rest is inspected as often as stated, and the places of the day are as before."""
    random = np.random.default_rng(1)
    rows = frame(*[(score, False) for score in random.beta(1, 8, 40)])
    met = [(criterion(places=2, lane="yellow"),) if number in (5, 9, 30) else () for number in range(40)]
    ours = targeting(2, 2, 1).model_copy(update={"random_share": 0.02})
    given = give(rows, met, ours, {})
    rest = rows.filter(pl.Series([each is None for each in given.lane]))
    assert rest.height == 38
    drawn = [lanes.assign(rest, ours, np.random.default_rng(seed), given.places) for seed in range(400)]
    used = [each.filter(pl.col("lane") != "green").height for each in drawn]
    assert set(used) == {3}
    stated = drawn[0]["selection_probability"].to_numpy()
    often = np.mean([(each["lane"] != "green").to_numpy() for each in drawn], axis=0)
    assert stated.sum() == pytest.approx(3)
    assert np.abs(often - stated).max() < 4.5 * np.sqrt(0.25 / 400)

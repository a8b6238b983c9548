"""Who gets which place and why, case by case, on plans whose cut-offs are set by hand."""

import math
from dataclasses import replace

import pytest

from models.live.chance import Draws
from models.live.placing import Candidate, Chances, Placement, amend, cutoffs, place
from models.live.prices import Prices
from models.live.state import State
from tests.support import live_offices
from tests.support.criteria import criterion

NOON = 12 * 3600
UNDRAWN = Draws(0.999, 0.999)
BY_CHANCE = Draws(0.0, 0.999)
EXPLORED = Draws(0.999, 0.0)


def flat(*ends):
    return tuple(Prices(1, (0.0, 1.0), ((end,), (end,))) for end in ends)


def plan(ends=(100.0, 50.0, 20.0), own=(1, 1, 1), carried=(0, 5, 5), **changed):
    """A plan with red, yellow, blue by how much they detect, and a hit that counts nothing beside its revenue."""
    base = live_offices.plan(live_offices.targeting(own, carried))
    return replace(base, **{"prices": flat(*ends), "hit_value": 0.0, "critical_probability": 0.2, **changed})


def state(of, *places, sequence=10):
    """The state of an office with so many of today's places in each lane."""
    older = (0,) * 5
    found = tuple((*older[: lane.carried_days], count) for lane, count in zip(of.lanes, places, strict=True))
    return State(of.digest, sequence, found)


def worth(amount, critical=0.0, explore=0.0):
    return Candidate(NOON, 0.5, critical, amount * 2, explore)


def test_worth_decides_on_the_lane():
    ours = plan()
    for amount, lane in ((100, "red"), (99.9, "yellow"), (50, "yellow"), (49, "blue"), (20, "blue")):
        placed, after = place(ours, state(ours, 1, 1, 1), worth(amount), UNDRAWN)
        assert (placed.lane, placed.reason, placed.probability) == (lane, "value", 1.0)
        assert sum(after.left(each) for each in range(3)) == 2
        assert after.sequence == 11


def test_less_worth_than_the_last_cutoff_has_only_chance():
    ours = plan()
    before = state(ours, 1, 1, 1)
    placed, after = place(ours, before, worth(19.9), UNDRAWN)
    assert (placed.lane, placed.reason) == ("green", "none")
    assert placed.probability == ours.random_share
    assert after == replace(before, sequence=11)


def test_a_full_lane_sends_to_the_next_and_then_to_a_better_one():
    ours = plan()
    for left, amount, lane in (
        ((0, 1, 1), 100, "yellow"),
        ((0, 0, 1), 100, "blue"),
        ((1, 1, 0), 20, "yellow"),
        ((1, 0, 0), 20, "red"),
    ):
        assert place(ours, state(ours, *left), worth(amount), UNDRAWN)[0].lane == lane


def test_what_one_lane_owes_keeps_nobody_from_another():
    ours = plan()
    placed, after = place(ours, state(ours, 1, -2, 0), worth(100), UNDRAWN)
    assert (placed.lane, [after.left(lane) for lane in range(3)]) == ("red", [0, -2, 0])


def test_without_a_place_worth_gives_none():
    ours = plan()
    placed, after = place(ours, state(ours, 0, 0, 0), worth(1e9, critical=0.9, explore=1e9), UNDRAWN)
    assert (placed.lane, placed.probability) == ("green", ours.random_share)
    assert [after.left(lane) for lane in range(3)] == [0, 0, 0]


def test_what_is_surely_licit_has_no_worth_even_if_places_are_free():
    ours = plan(ends=(0.0, 0.0, 0.0))
    licit = Candidate(NOON, 0.0, 0.0, 1000.0)
    assert place(ours, state(ours, 1, 1, 1), licit, UNDRAWN)[0].lane == "green"
    assert place(ours, state(ours, 1, 1, 1), worth(0.0), UNDRAWN)[0].lane == "red"


def test_the_order_is_chance_critical_exploration_value():
    ours = plan(exploring=0.5)
    before = state(ours, 1, 1, 1)
    both = Draws(0.0, 0.0)
    assert place(ours, before, worth(1000, critical=0.5), both)[0].reason == "random"
    assert place(ours, before, worth(1000, critical=0.5), UNDRAWN)[0].reason == "critical"
    assert place(ours, before, worth(1000, explore=1e6), EXPLORED)[0].reason == "value"  # it has a place anyway
    assert place(ours, before, worth(1, explore=1e6), EXPLORED)[0].reason == "exploration"


def test_critical_goods_take_lanes_from_red_on_whatever_they_are_worth():
    ours = plan(ends=(1e9, 1e9, 1e9))
    for left, lane in (((1, 1, 1), "red"), ((0, 1, 1), "yellow"), ((0, 0, 1), "blue")):
        placed, _ = place(ours, state(ours, *left), worth(0, critical=0.2), UNDRAWN)
        assert (placed.lane, placed.reason, placed.probability) == (lane, "critical", 1.0)
    assert place(ours, state(ours, 1, 1, 1), worth(0, critical=0.19), UNDRAWN)[0].lane == "green"


def test_exploration_takes_the_lane_that_detects_least():
    ours = plan(exploring=0.5)
    for left, lane in (((1, 1, 1), "blue"), ((1, 1, 0), "yellow"), ((1, 0, 0), "red")):
        assert place(ours, state(ours, *left), worth(1, explore=1e6), EXPLORED)[0].lane == lane


def test_what_has_no_chance_gets_none_even_by_the_least_number():
    least, ours = Draws(0.0, 0.0), plan(exploring=0.5, random_share=0.0)
    placed, after = place(ours, state(ours, 1, 1, 1), worth(1, explore=0.0), least)
    assert (placed.lane, placed.probability, after.drawn, after.missed) == ("green", 0.0, 0, 0)


def test_the_chance_to_be_explored_is_the_days_share_over_those_who_need_it():
    ours = plan(exploring=0.5, own=(1, 1, 1))
    before = state(ours, 1, 1, 1, sequence=9)
    coming = ours.forecast.coming(NOON, 9)
    chances = place(ours, before, worth(1, explore=2.0), UNDRAWN)[0].chances
    assert chances.explored == 2.0 * 0.5 / (10 + coming - 3)
    assert place(ours, before, worth(1, explore=1e9), UNDRAWN)[0].chances.explored == 1.0


def test_the_probability_joins_chance_and_exploration():
    assert Chances(0.01, 0.2, is_entitled=False).inspected == 0.01 + 0.99 * 0.2
    assert Chances(0.01, 0.0, is_entitled=False).inspected == 0.01
    assert Chances(0.01, 0.0, is_entitled=True).inspected == 1.0


def test_chance_takes_what_detects_most_and_then_days_to_come():
    ours = plan()
    for left, lane in (((1, 1, 1), "red"), ((0, 1, 1), "yellow"), ((0, 0, 1), "blue"), ((0, 0, 0), "yellow")):
        placed, after = place(ours, state(ours, *left), worth(0), BY_CHANCE)
        assert (placed.lane, placed.reason, placed.probability) == (lane, "random", ours.random_share)
        assert (after.drawn, after.missed) == (1, 0)
    assert after.places == ((0,), (0, 0, 0, 0, 0, -1), (0, 0, 0, 0, 0, 0))


def test_chance_is_lent_as_many_places_as_are_carried_and_then_says_zero():
    ours = plan(own=(1, 1, 0))
    now = state(ours, 0, 0, 0)
    for _ in range(5):
        placed, now = place(ours, now, worth(0), BY_CHANCE)
        assert placed.reason == "random"
    placed, now = place(ours, now, worth(0), BY_CHANCE)
    assert (placed.lane, placed.reason, placed.probability) == ("green", "none", 0.0)
    assert (now.drawn, now.missed, now.left(1)) == (5, 1, -5)


def test_where_nothing_is_carried_hard_places_are_never_exceeded():
    ours = plan(carried=(0, 0, 0))
    now = state(ours, 1, 0, 0)
    first, now = place(ours, now, worth(0), BY_CHANCE)
    second, now = place(ours, now, worth(0), BY_CHANCE)
    assert (first.lane, second.lane, second.probability) == ("red", "green", 0.0)
    assert [now.left(lane) for lane in range(3)] == [0, 0, 0]
    assert (now.drawn, now.missed) == (1, 1)


def test_where_nothing_is_carried_places_are_kept_for_chance_until_the_day_is_over():
    ours = plan(carried=(0, 0, 0), own=(2, 0, 0), random_share=0.2)
    low = state(ours, 1, 0, 0)
    assert cutoffs(ours, low, coming=100.0)[2] == math.inf
    assert cutoffs(ours, low, coming=0.0)[2] == 20.0
    early = replace(worth(1e9, critical=0.9), second=0)
    assert place(ours, low, early, UNDRAWN)[0].lane == "green"
    assert place(ours, low, early, BY_CHANCE)[0].lane == "red"
    late = replace(early, second=86_399)
    assert place(ours, low, late, UNDRAWN)[0].lane == "red"


def test_where_places_are_carried_none_is_kept_for_chance():
    ours = plan(own=(2, 1, 0), random_share=0.2)
    early = replace(worth(1e9), second=0)
    assert place(ours, state(ours, 1, 0, 0), early, UNDRAWN)[0].lane == "red"


def test_a_state_of_another_plan_is_refused():
    ours = plan()
    with pytest.raises(ValueError, match=f"the state goes by plan x; allowed: {ours.digest}"):
        place(ours, replace(state(ours, 1, 1, 1), plan="x"), worth(1), UNDRAWN)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"second": -1}, "second is -1; allowed: 0 to 86399"),
        ({"second": 86_400}, "second is 86400; allowed: 0 to 86399"),
        ({"score": 1.1}, r"score is 1\.1; allowed: 0 to 1"),
        ({"critical": math.nan}, "critical is nan; allowed: 0 to 1"),
        ({"revenue_if_illicit": math.inf}, "revenue_if_illicit is inf; allowed: a finite number from 0"),
        ({"explore": -0.1}, r"explore is -0\.1; allowed: a finite number from 0"),
    ],
)
def test_a_candidate_with_an_impossible_value_is_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        replace(worth(1), **changed)


def test_an_amendment_raises_the_lane_by_the_cutoffs_of_its_first_version():
    ours = plan()
    first = state(ours, 1, 1, 1)
    before, now = place(ours, first, worth(1), UNDRAWN)
    for amount, lane in ((100, "red"), (50, "yellow"), (20, "blue"), (19, "green")):
        raised, after = amend(ours, first, before, worth(amount), UNDRAWN, now)
        assert (raised.lane, after == now) == (lane, lane == "green")
        assert raised.probability == (1.0 if lane != "green" else ours.random_share)
    dearer = replace(ours, prices=flat(1e9, 1e9, 1e9))
    later = replace(now, plan=dearer.digest, sequence=99)
    assert amend(ours, first, before, worth(100), UNDRAWN, later)[0].lane == "red"


def test_an_amendment_never_lowers_the_lane_and_keeps_what_made_it():
    ours = plan()
    first = state(ours, 1, 1, 1)
    before, now = place(ours, first, worth(1000), UNDRAWN)
    after, then = amend(ours, first, before, worth(1), UNDRAWN, now)
    assert (after, then) == (before, now)
    yellow = Placement("yellow", "value", before.chances)
    assert amend(ours, first, yellow, worth(20), UNDRAWN, first)[0].lane == "yellow"
    assert amend(ours, first, yellow, worth(50), UNDRAWN, first) == (yellow, first)
    assert amend(ours, first, yellow, worth(100), UNDRAWN, now)[0].lane == "yellow"  # red is used up
    assert amend(ours, first, yellow, worth(100), UNDRAWN, first)[0].lane == "red"


def test_an_amendment_draws_nothing_again_and_its_probability_is_over_all_versions():
    ours = plan(exploring=0.5)
    first = state(ours, 1, 1, 1)
    before, now = place(ours, first, worth(1, explore=4.0), UNDRAWN)
    after, then = amend(ours, first, before, worth(2, explore=8.0), UNDRAWN, now)
    assert (after.lane, then) == ("green", now)
    assert after.chances.random == before.chances.random
    assert after.chances.explored == 2 * before.chances.explored
    back, _ = amend(ours, first, after, worth(1, explore=0.0), UNDRAWN, then)
    assert back.chances == after.chances
    number = 1.5 * before.chances.explored
    explored, _ = amend(ours, first, before, worth(2, explore=8.0), Draws(0.999, number), now)
    assert (explored.lane, explored.reason) == ("blue", "exploration")


def test_an_amendment_finds_no_place_where_there_is_none():
    ours = plan()
    first = state(ours, 1, 1, 1)
    before, _ = place(ours, first, worth(1), UNDRAWN)
    full = state(ours, 0, 0, 0, sequence=50)
    after, then = amend(ours, first, before, worth(1000), UNDRAWN, full)
    assert (after.lane, then) == ("green", full)
    assert after.chances == before.chances


def test_the_morning_gives_the_places_of_the_day():
    ours = plan(own=(4, 3, 2))
    assert State.morning(ours).places == ((4,), (0, 0, 0, 0, 0, 3), (0, 0, 0, 0, 0, 2))


class TestCriteria:
    def test_what_meets_one_gets_its_lane_whatever_it_is_worth(self):
        ours = plan(ends=(1e9, 1e9, 1e9))
        for lane in ("red", "yellow", "blue"):
            watched = criterion(lane=lane)
            placed, after = place(ours, state(ours, 1, 1, 1), worth(0), UNDRAWN, (watched,))
            assert placed == Placement(lane, "criterion", Chances(ours.random_share, 0.0, True), "watched")
            assert placed.probability == 1.0
            assert after.used == (("watched", 1),)
            assert sum(after.left(each) for each in range(3)) == 2

    def test_once_its_places_are_used_up_it_is_as_if_there_were_none(self):
        ours, watched = plan(), criterion(places=2)
        now = state(ours, 3, 3, 3)
        reasons = []
        for _ in range(4):
            placed, now = place(ours, now, worth(1), UNDRAWN, (watched,))
            reasons.append((placed.lane, placed.reason, placed.probability, placed.criterion))
        given = ("red", "criterion", 1.0, "watched")
        assert reasons == [given, given, *[("green", "none", ours.random_share, "")] * 2]
        assert place(ours, now, worth(60), UNDRAWN, (watched,)) == place(ours, now, worth(60), UNDRAWN)
        assert now.used == (("watched", 2),)

    def test_chance_and_critical_goods_come_before_it_and_use_none_of_its_places(self):
        ours, watched = plan(), criterion(lane="yellow")
        before = state(ours, 1, 1, 1)
        for item, draws, reason in ((worth(1), BY_CHANCE, "random"), (worth(0, critical=0.9), UNDRAWN, "critical")):
            placed, after = place(ours, before, item, draws, (watched,))
            assert (placed.lane, placed.reason, placed.probability, placed.criterion) == ("red", reason, 1.0, "")
            assert after.used == ()

    def test_it_comes_before_exploration_and_worth_and_lowers_no_lane(self):
        ours, watched = plan(exploring=0.5), criterion(lane="blue")
        before = state(ours, 1, 1, 1)
        for item, draws, lane in (
            (worth(100), UNDRAWN, "red"),
            (worth(50), UNDRAWN, "yellow"),
            (worth(1, explore=1e6), EXPLORED, "blue"),
            (worth(1), UNDRAWN, "blue"),
        ):
            placed, after = place(ours, before, item, draws, (watched,))
            assert (placed.lane, placed.reason) == (lane, "criterion")
            assert after.used == (("watched", 1),)
        odd = replace(ours, lanes=tuple(replace(lane, detects=1 - lane.detects) for lane in ours.lanes))
        found = [
            place(odd, state(odd, 1, 1, 1), worth(0, explore=1e6), EXPLORED, rules)[0] for rules in ((), (watched,))
        ]
        assert [(each.lane, each.reason) for each in found] == [("red", "exploration"), ("red", "criterion")]

    def test_where_its_lane_is_full_it_goes_to_the_next_and_then_to_a_better_one(self):
        ours = plan(ends=(1e9, 1e9, 1e9))
        for left, own, lane in (
            ((0, 1, 1), "red", "yellow"),
            ((0, 0, 1), "red", "blue"),
            ((1, 0, 1), "yellow", "blue"),
            ((1, 0, 0), "yellow", "red"),
            ((1, 1, 0), "blue", "yellow"),
        ):
            assert place(ours, state(ours, *left), worth(0), UNDRAWN, (criterion(lane=own),))[0].lane == lane

    def test_it_takes_no_place_that_is_kept_for_chance_and_none_that_there_is_not(self):
        kept = plan(carried=(0, 0, 0), own=(2, 0, 0), random_share=0.2)
        early = replace(worth(0), second=0)
        for ours, left in ((kept, (1, 0, 0)), (plan(), (0, 0, 0))):
            placed, after = place(ours, state(ours, *left), early, UNDRAWN, (criterion(),))
            assert (placed.lane, placed.probability, after.used) == ("green", ours.random_share, ())

    def test_the_first_that_has_places_left_gives_one(self):
        ours = plan()
        first, second = criterion("first", places=1), criterion("second", lane="yellow", places=1)
        now, names = state(ours, 2, 2, 2), []
        for _ in range(3):
            placed, now = place(ours, now, worth(0), UNDRAWN, (first, second))
            names.append((placed.criterion, placed.lane))
        assert names == [("first", "red"), ("second", "yellow"), ("", "green")]
        assert now.used == (("first", 1), ("second", 1))

    def test_an_amended_item_that_meets_one_rises_while_places_last(self):
        ours, watched = plan(), criterion(lane="yellow", places=1)
        first = state(ours, 1, 1, 1)
        before, now = place(ours, first, worth(1), UNDRAWN)
        raised, after = amend(ours, first, before, worth(1), UNDRAWN, now, (watched,))
        assert (raised.lane, raised.reason, raised.probability, raised.criterion) == (
            "yellow",
            "criterion",
            1.0,
            "watched",
        )
        assert after.used == (("watched", 1),)
        assert amend(ours, first, before, worth(1), UNDRAWN, after, (watched,)) == (before, after)
        held = Placement("red", "value", before.chances)
        same, then = amend(ours, first, held, worth(1), UNDRAWN, now, (watched,))
        assert (same.lane, same.reason, same.criterion, then) == ("red", "value", "", now)
        full = state(ours, 0, 0, 0, sequence=50)
        assert amend(ours, first, before, worth(1), UNDRAWN, full, (watched,)) == (before, full)

"""What is true of any day of an office: bounds, places, purity, chance, and amendments."""

import hashlib
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from models.live import chance
from models.live.placing import GREEN, Candidate, Placement, amend, place
from models.live.plan import Plan
from models.live.state import State
from models.policy import LANES
from tests.support import live_offices
from tests.support.examples import examples

SHARE = live_offices.targeting().random_share
OWN = [(4, 3, 2), (1, 1, 1), (0, 2, 0), (0, 0, 0), (3, 0, 0), None]
CARRIED = [(0, 5, 5), (0, 0, 0), (5, 5, 5), (2, 0, 1)]
# Making a plan takes longer than playing a day by it, so each is made once.
PLANS = [
    live_offices.plan(live_offices.targeting(own, carried), rows)
    for own in OWN
    for carried in CARRIED
    for rows in (live_offices.past(daily=12), live_offices.NOTHING)
]
usual = settings(max_examples=examples(30), deadline=None)

unit = st.floats(0, 1)
items = st.builds(
    Candidate,
    st.integers(0, 86_399),
    st.just(0.0) | unit,
    st.just(0.0) | unit,
    st.sampled_from([0.0, 10.0, 1e3, 1e6]) | st.floats(0, 1e15),
    st.sampled_from([0.0, 1.0, 5.0, 1e6]),
)
days = st.lists(items, max_size=40).map(lambda day: sorted(day, key=lambda item: item.second))
secrets = st.binary(min_size=32, max_size=32)
plans = st.sampled_from(PLANS)


def play(plan: Plan, day: list[Candidate], secret: bytes) -> list[tuple[State, Placement, State]]:
    """Each item with the state before it, its placement, and the state after it."""
    state, steps = State.morning(plan), []
    for number, item in enumerate(day):
        placement, after = place(plan, state, item, chance.draws(secret, f"D{number}", 1))
        steps.append((state, placement, after))
        state = after
    return steps


@given(plans, days, secrets)
@usual
def test_the_same_arguments_give_the_same_and_all_survives_being_written_down(plan, day, secret):
    again = Plan.from_json(plan.as_json())
    for (before, placement, after), (number, item) in zip(play(plan, day, secret), enumerate(day), strict=True):
        stored = State.from_json(before.as_json())
        assert stored == before
        assert place(again, stored, item, chance.draws(secret, f"D{number}", 1)) == (placement, after)


@given(plans, days, secrets)
@usual
def test_places_are_used_one_by_one_and_hard_ones_never_exceeded(plan, day, secret):
    for before, placement, after in play(plan, day, secret):
        new = [lane.places(after.sequence) - lane.places(before.sequence) for lane in plan.lanes]
        used = [before.left(lane) + new[lane] - after.left(lane) for lane in range(len(LANES))]
        assert used == [int(placement.lane == lane) for lane in LANES]
        for lane in range(len(LANES)):
            owed = plan.lanes[lane].lends if placement.reason == "random" else 0
            assert after.left(lane) >= min(before.left(lane), -owed)
        assert (placement.lane == GREEN) == (placement.reason == "none")


@given(plans, days, secrets)
@usual
def test_the_stated_probability_is_that_over_the_numbers_of_the_item(plan, day, secret):
    """Numbers of an even grid: as many of them lead to an inspection as the probability says."""
    steps = [((a + 0.5) / 50, (b + 0.5) / 20) for a in range(50) for b in range(20)]
    for (before, placement, _), item in list(zip(play(plan, day, secret), day, strict=True))[:3]:
        chances = placement.chances
        inspected = {pair: place(plan, before, item, chance.Draws(*pair))[0].lane != GREEN for pair in steps}
        for (random, exploration), found in inspected.items():
            assert found == (chances.is_entitled or random < chances.random or exploration < chances.explored)


@given(plans, days, secrets)
@usual
def test_chance_is_the_same_for_everybody_as_long_as_a_place_can_be_had(plan, day, secret):
    for before, placement, after in play(plan, day, secret):
        has_place = any(after.left(lane) > 0 for lane in range(len(LANES))) or placement.lane != GREEN
        assert placement.chances.random in (0.0, SHARE)
        if has_place:
            assert placement.chances.random == SHARE
        assert 0 <= placement.probability <= 1
        assert placement.probability >= placement.chances.random
        if placement.lane != GREEN:
            assert placement.probability > 0
        assert after.drawn + after.missed >= before.drawn + before.missed


@given(plans, days, items, secrets)
@usual
def test_what_chance_draws_does_not_depend_on_what_the_item_is(plan, day, other, secret):
    for number, (before, placement, _) in enumerate(play(plan, day, secret)):
        swapped = replace(other, second=day[number].second)
        drawn = place(plan, before, swapped, chance.draws(secret, f"D{number}", 1))[0]
        assert (drawn.reason == "random") == (placement.reason == "random")
        assert drawn.chances.random == placement.chances.random


@given(plans, days, st.lists(items, min_size=1, max_size=4), secrets, st.data())
@usual
def test_amendments_never_lower_a_lane_nor_a_probability(plan, day, versions, secret, data):
    steps = play(plan, day, secret)
    if not steps:
        return
    number = data.draw(st.integers(0, len(steps) - 1))
    first, placed, _ = steps[number]
    drawn, state = chance.draws(secret, f"D{number}", 1), steps[-1][2]
    for version in versions:
        after, then = amend(plan, first, placed, version, drawn, state)
        assert (*LANES, GREEN).index(after.lane) <= (*LANES, GREEN).index(placed.lane)
        assert after.probability >= placed.probability
        assert after.chances.random == placed.chances.random
        used = [state.left(lane) - then.left(lane) for lane in range(len(LANES))]
        assert used == [int(after.lane != placed.lane and after.lane == lane) for lane in LANES]
        assert all(then.left(lane) >= min(state.left(lane), 0) for lane in range(len(LANES)))
        placed, state = after, then


@given(plans, st.lists(days, max_size=4), secrets)
@usual
def test_over_days_no_lane_gives_more_than_it_brought(plan, week, secret):
    carried, given, brought = None, [0, 0, 0], [0, 0, 0]
    for number, day in enumerate(week):
        state = State.morning(plan, carried)
        own = hashlib.sha256(secret + bytes([number])).digest()
        for position, item in enumerate(day):
            placement, state = place(plan, state, item, chance.draws(own, f"D{position}", 1))
            if placement.lane != GREEN:
                given[LANES.index(placement.lane)] += 1
        carried = state.evening()
        brought = [sum_ + lane.places(state.sequence) for sum_, lane in zip(brought, plan.lanes, strict=True)]
        for lane in range(len(LANES)):
            assert given[lane] <= brought[lane] + plan.lanes[lane].lends

"""What is true of any day on which criteria are in force: their places, those of lanes, lives, lanes and chances."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from models.criteria import Register, Step
from models.ledger import storage
from models.live import chance
from models.live.placing import GREEN, amend, place
from models.live.state import State
from models.policy import LANES
from tests.property.models.live.test_placing import PLANS, items, secrets
from tests.support import live_offices
from tests.support.criteria import FIRST, criterion
from tests.support.examples import examples

ORDER = (*LANES, GREEN)
usual = settings(max_examples=examples(30), deadline=None)
plans = st.sampled_from(PLANS)
lives = st.tuples(st.integers(-3, 3), st.integers(-3, 20)).map(
    lambda ends: {"begins_on": FIRST + timedelta(days=ends[0]), "ends_on": FIRST + timedelta(days=max(ends))}
)
criteria = st.lists(
    st.builds(lambda lane, places: {"lane": lane, "places": places}, st.sampled_from(LANES), st.integers(1, 4)),
    min_size=1,
    max_size=4,
).map(lambda asked: tuple(criterion(f"c{number}", **each) for number, each in enumerate(asked)))
# Each item, and which of the criteria it meets.
days = st.lists(st.tuples(items, st.sets(st.integers(0, 3))), max_size=30).map(
    lambda day: sorted(day, key=lambda each: each[0].second)
)


def met(ours, numbers):
    return tuple(each for number, each in enumerate(ours) if number in numbers)


def play(plan, day, ours, secret):
    state, steps = State.morning(plan), []
    for number, (item, numbers) in enumerate(day):
        drawn, rules = chance.draws(secret, f"D{number}", 1), met(ours, numbers)
        placement, after = place(plan, state, item, drawn, rules)
        steps.append((state, item, drawn, rules, placement, after))
        state = after
    return steps


@given(plans, days, criteria, secrets)
@usual
def test_no_criterion_gives_more_than_its_places_and_no_lane_more_than_its_own(plan, day, ours, secret):
    steps = play(plan, day, ours, secret)
    placed = [placement for *_, placement, _ in steps]
    for each in ours:
        assert sum(one.criterion == each.name for one in placed) <= each.places
    if steps:
        after = steps[-1][-1]
        assert dict(after.used) == {
            each.name: count for each in ours if (count := sum(one.criterion == each.name for one in placed))
        }
        for lane, name in enumerate(LANES):
            used = sum(one.lane == name for one in placed)
            assert after.left(lane) == plan.lanes[lane].places(after.sequence) - used
            assert used <= plan.lanes[lane].places(after.sequence) + plan.lanes[lane].lends
    others = sum(each.reason not in ("random", "none") for each in placed)
    assert others <= sum(lane.places(len(day)) for lane in plan.lanes)


@given(plans, days, criteria, secrets)
@usual
def test_no_item_gets_a_lower_lane_than_without_criteria_nor_another_chance(plan, day, ours, secret):
    for before, item, drawn, rules, placement, _ in play(plan, day, ours, secret):
        without, _ = place(plan, before, item, drawn)
        assert ORDER.index(placement.lane) <= ORDER.index(without.lane)
        assert (placement.reason == "random") == (without.reason == "random")
        assert placement.chances.random == without.chances.random
        if placement.criterion:
            assert (placement.reason, placement.probability) == ("criterion", 1.0)
            assert placement.criterion in {each.name for each in rules}
        elif placement.reason != "random":
            assert placement == without


@given(plans, days, criteria, secrets)
@usual
def test_the_stated_probability_is_that_over_the_numbers_of_the_item(plan, day, ours, secret):
    grid = [((a + 0.5) / 50, (b + 0.5) / 20) for a in range(50) for b in range(20)]
    for before, item, _, rules, placement, _ in play(plan, day, ours, secret)[-2:]:
        chances = placement.chances
        for random, exploration in grid:
            found = place(plan, before, item, chance.Draws(random, exploration), rules)[0]
            inspected = chances.is_entitled or random < chances.random or exploration < chances.explored
            assert (found.lane != GREEN) == inspected
            assert found.chances == chances


@given(plans, days, criteria, secrets)
@usual
def test_the_same_arguments_give_the_same_and_states_survive_being_written_down(plan, day, ours, secret):
    for before, item, drawn, rules, placement, after in play(plan, day, ours, secret):
        stored = State.from_json(before.as_json())
        assert stored == before
        assert place(plan, stored, item, drawn, rules) == (placement, after)


@given(plans, days, criteria, st.lists(st.tuples(items, st.sets(st.integers(0, 3))), max_size=4), secrets, st.data())
@usual
def test_amendments_lower_nothing_and_use_no_more_than_there_is(plan, day, ours, versions, secret, data):
    steps = play(plan, day, ours, secret)
    if not steps:
        return
    first, _, drawn, _, placed, _ = steps[data.draw(st.integers(0, len(steps) - 1))]
    state = steps[-1][-1]
    for item, numbers in versions:
        after, then = amend(plan, first, placed, item, drawn, state, met(ours, numbers))
        assert ORDER.index(after.lane) <= ORDER.index(placed.lane)
        assert after.probability >= placed.probability
        assert all(dict(then.used).get(each.name, 0) <= each.places for each in ours)
        is_raised = after.lane != placed.lane
        used = [state.left(lane) - then.left(lane) for lane in range(len(LANES))]
        assert used == [int(is_raised and after.lane == name) for name in LANES]
        assert sum(dict(then.used).values()) - sum(dict(state.used).values()) == int(
            is_raised and after.reason == "criterion"
        )
        without, _ = amend(plan, first, placed, item, drawn, state)
        assert ORDER.index(after.lane) <= ORDER.index(without.lane)
        placed, state = after, then


@given(st.lists(st.tuples(lives, st.sampled_from(["proposed", "confirmed", "withdrawn", "refused"])), max_size=5))
@usual
def test_nothing_is_in_force_before_two_people_said_so_nor_after_its_last_day(asked):
    register, ours = Register(), []
    at = storage.now()
    for number, (life, how) in enumerate(asked):
        each = criterion(f"c{number}", **life)
        ours.append((each, how))
        register.apply(Step("propose", "pia", at, each.digest, "x", each, 90))
        if how in ("confirmed", "withdrawn"):
            register.apply(Step("confirm", "pol", at, each.digest, "x"))
        if how in ("withdrawn", "refused"):
            register.apply(Step("refuse" if how == "refused" else "withdraw", "pol", at, each.digest, "x"))
    for days in range(-5, 25):
        day = FIRST + timedelta(days=days)
        wanted = [each for each, how in ours if how == "confirmed" and each.begins_on <= day <= each.ends_on]
        assert sorted(register.in_force(day).criteria, key=lambda each: each.name) == wanted


def test_a_day_with_criteria_whose_places_are_many_leaves_the_sum_of_places_as_it_was():
    """On a day busy enough, all places are used with criteria and without."""
    ours = live_offices.plan(live_offices.targeting((4, 3, 2), (0, 0, 0)))
    day = [replace(each, critical=0.0) for each in live_offices.arrivals(400)]
    watched = (criterion("all", lane="yellow", places=100),)
    secret = bytes(range(32))
    left = {
        name: [steps[-1][-1].left(lane) for lane in range(len(LANES))]
        for name, steps in {
            "without": play(ours, [(each, set()) for each in day], watched, secret),
            "with": play(ours, [(each, {0}) for each in day], watched, secret),
        }.items()
    }
    assert left["with"] == [0, 0, 0]
    assert sum(left["without"]) <= 1

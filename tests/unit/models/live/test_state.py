"""Places by age: what is used first, what is carried and expires, what is lent, and what fractions become."""

from dataclasses import replace

import pytest

from models.live.state import State, arrived, lender
from tests.support import live_offices
from tests.support.live_offices import NOTHING, past


def plan(own=(4, 3, 2), carried=(0, 2, 1), rows=NOTHING):
    return live_offices.plan(live_offices.targeting(own, carried), rows)


def test_the_oldest_places_are_used_first_and_unused_ones_expire():
    ours = plan()
    monday = State.morning(ours)
    assert monday.places == ((4,), (0, 0, 3), (0, 2))
    tuesday = State.morning(ours, monday.without(0).without(1).evening())
    assert tuesday.places == ((4,), (0, 2, 3), (2, 2))
    wednesday = State.morning(ours, tuesday.without(1).without(2).evening())
    assert wednesday.places == ((4,), (1, 3, 3), (2, 2))
    thursday = State.morning(ours, wednesday.evening())
    assert thursday.places == ((4,), (3, 3, 3), (2, 2))


def test_the_last_place_of_a_day_is_used_before_those_of_later_days():
    now = State("d", 1, ((1, 1, 3),))
    for left in ((0, 1, 3), (0, 0, 3), (0, 0, 2)):
        now = now.without(0)
        assert now.places == (left,)


def test_what_was_carried_by_another_number_of_lanes_is_no_morning():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        State.morning(plan(), ((), ()))


def test_places_that_are_owed_come_off_the_next_days():
    ours = plan()
    now = State.morning(ours)
    for _ in range(5):
        now = now.without(1)
    assert now.places[1] == (0, 0, -2)
    assert State.morning(ours, now.evening()).places[1] == (0, 0, 1)
    for _ in range(2):
        now = now.without(1)
    tomorrow = State.morning(ours, now.evening())
    assert tomorrow.places[1] == (0, 0, -1)
    assert tomorrow.left(1) == -1
    assert State.morning(ours, tomorrow.evening()).places[1] == (0, 0, 2)


def test_a_policy_that_carries_for_longer_or_shorter_takes_what_it_can():
    longer, shorter = plan(carried=(1, 4, 1)), plan(carried=(0, 1, 0))
    kept = ((), (5, 6), (7,))
    assert State.morning(longer, kept).places == ((0, 4), (0, 0, 5, 6, 3), (7, 2))
    assert State.morning(shorter, kept).places == ((4,), (6, 3), (2,))


def test_a_lane_lends_what_it_brings_while_it_carries():
    ours = plan()
    assert [lane.lends for lane in ours.lanes] == [0, 6, 2]
    now = replace(State.morning(ours), places=((0,), (0, 0, 0), (0, 0)))
    lent = []
    while (lane := lender(ours, now)) is not None:
        lent.append(lane)
        now = now.without(lane)
    assert lent == [1] * 6 + [2] * 2
    assert lender(plan(carried=(0, 0, 0)), State.morning(plan(carried=(0, 0, 0)))) is None
    assert [replace(lane, daily=0.04).lends for lane in ours.lanes] == [0, 1, 1]


def test_an_own_number_of_places_stays_whatever_comes():
    ours = plan(rows=past())
    now = State.morning(ours)
    for _ in range(300):
        now = arrived(ours, now)
    assert (now.sequence, now.places) == (300, State.morning(ours).places)


def test_a_share_of_the_day_is_what_is_expected_and_grows_with_a_rush():
    ours = live_offices.plan(live_offices.targeting(own=None, carried=(0, 0, 0)), past(daily=40))
    assert ours.forecast.today == pytest.approx(40)
    now = State.morning(ours)  # 1.6, 1.6 and 0.8 on average, rounded at one half
    assert now.places == ((2,), (2,), (1,))
    for _ in range(40):
        now = arrived(ours, now)
    assert now.places == ((2,), (2,), (1,))
    for _ in range(60):
        now = arrived(ours, now.without(0) if now.left(0) else now)
    assert now.sequence == 100
    assert now.places[1:] == ((4,), (2,))  # 4 % and 2 % of 100
    assert now.left(0) + 4 >= 4


def test_fractions_are_rounded_by_the_number_of_the_day_and_keep_their_mean():
    ours = plan().lanes[0]
    third = replace(ours, daily=1.3)
    counts = [replace(third, rounding=(step + 0.5) / 1000).places(0) for step in range(1000)]
    assert set(counts) == {1, 2}
    assert sum(counts) / 1000 == pytest.approx(1.3)
    assert replace(ours, daily=0.1 + 0.2, rounding=0.7).places(0) == 1  # 1 but for the last digit


def test_an_office_without_past_brings_places_as_declarations_come():
    ours = live_offices.plan(live_offices.targeting(own=None, carried=(0, 0, 0)), NOTHING)
    now = State.morning(ours)
    assert [now.left(lane) for lane in range(3)] == [0, 0, 0]
    for _ in range(50):
        now = arrived(ours, now)
    assert [now.left(lane) for lane in range(3)] == [2, 2, 1]


def test_a_state_is_json_to_the_bit():
    now = State("d", 7, ((1,), (0, -2)), drawn=3, missed=1)
    ruled = replace(now, used=(("a", 2), ("b", 1)))
    for each in (now, ruled):
        assert State.from_json(each.as_json()) == each
    assert ruled.as_json().endswith(b',"missed":1,"used":[["a",2],["b",1]]}')
    assert now.as_json() == b'{"plan":"d","sequence":7,"places":[[1],[0,-2]],"drawn":3,"missed":1}'

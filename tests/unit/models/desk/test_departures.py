"""Departures from what was recommended, worked out by hand."""

from datetime import timedelta

import pytest

from models.desk import Refused
from models.desk.departures import LaneDepartures
from models.policy import Desk as Rules
from tests.support import desks
from tests.support.desks import ANA, BEN, SUE


@pytest.fixture
def rules():
    return Rules(second_look_share=0.0)


def between(world, since=0, until=100):
    begin = world.clock.at.replace(hour=0)
    return world.desk.departures.between(SUE, begin + timedelta(hours=since), begin + timedelta(hours=until))


def test_each_way_to_depart_is_counted_once_where_the_case_was_opened_with_the_words_of_who_departed(world):
    kept, unseen, lowered, raised, twice, open_ = world.declare("yellow", "yellow", "red", "blue", "yellow", "blue")
    endings, queue = world.desk.endings, world.desk.queue
    world.close(ANA, kept)
    queue.take(ANA, unseen)
    endings.override(ANA, unseen, "confirmed by the broker: perishable")
    queue.take(ANA, lowered)
    endings.pass_on(ANA, lowered, "blue", "papers\nare enough")
    endings.confirm(BEN, lowered)
    world.close(BEN, lowered)
    queue.take(BEN, raised)
    endings.pass_on(BEN, raised, "red", "seal broken")
    world.close(ANA, raised)
    queue.take(ANA, twice)
    endings.pass_on(ANA, twice, "red", "smells")
    queue.take(ANA, twice)
    endings.override(ANA, twice, "nothing to see")
    endings.confirm(BEN, twice)
    queue.take(ANA, open_)
    endings.pass_on(ANA, open_, "yellow", "of a case that is still open")
    counted, each = between(world)
    assert counted == [
        LaneDepartures("010", "red", closed=1, departed=1, overridden=0, raised=0, lowered=1),
        LaneDepartures("010", "yellow", closed=3, departed=2, overridden=2, raised=1, lowered=0),
        LaneDepartures("010", "blue", closed=1, departed=1, overridden=0, raised=1, lowered=0),
    ]
    assert {(told.case, told.lane, told.officer, told.kind, told.reason) for told in each} == {
        (unseen, "yellow", "ana", "overridden", "confirmed by the broker: perishable"),
        (lowered, "red", "ana", "lowered", "papers\nare enough"),
        (raised, "blue", "ben", "raised", "seal broken"),
        (twice, "yellow", "ana", "raised", "smells"),
        (twice, "yellow", "ana", "overridden", "nothing to see"),
    }
    assert [told.at for told in each] == sorted((told.at for told in each), reverse=True)


def test_what_was_asked_for_and_declined_is_no_departure(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    world.desk.endings.override(ANA, number, "hurry")
    world.desk.endings.decline(BEN, number)
    world.close(ANA, number)
    assert between(world) == ([LaneDepartures("010", "red", 1, 0, 0, 0, 0)], [])


def test_only_cases_closed_in_the_time_and_of_first_looks_count(world):
    (number,) = world.declare("yellow")
    world.desk.queue.take(ANA, number)
    world.desk.endings.override(ANA, number, "perishable")
    closed_at = world.clock()
    before, after = closed_at - timedelta(seconds=1), closed_at + timedelta(seconds=1)
    assert world.desk.departures.between(SUE, before, closed_at) == ([], [])
    assert len(world.desk.departures.between(SUE, closed_at, after)[1]) == 1
    assert world.desk.departures.between(SUE, after, after + timedelta(days=1)) == ([], [])


def test_second_looks_are_left_out(tmp_path):
    world = desks.world(tmp_path, Rules(second_look_share=0.5))
    numbers = world.declare(*["yellow"] * 8)
    for number in numbers:
        world.close(ANA, number)
    second = [case.number for case in world.every() if case.number not in numbers]
    assert second
    world.desk.queue.take(BEN, second[0])
    world.desk.endings.override(BEN, second[0], "once is enough")
    (counted,), each = between(world)
    assert (counted.closed, counted.departed, each) == (8, 0, [])


def test_departures_are_for_supervisors(world):
    with pytest.raises(Refused, match="supervis"):
        world.desk.departures.between(ANA, world.clock(), world.clock())

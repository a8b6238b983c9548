"""The queue: by time limit, and nobody holds what somebody else does."""

from datetime import timedelta

import pytest
from sqlalchemy.dialects import sqlite

from models.desk import Officer, Refused
from models.desk.queue import _NEXT
from models.policy import Desk as Rules
from tests.support import desks
from tests.support.desks import ANA, BEN, ELSEWHERE, NOON, SUE


def test_the_nearest_time_limit_comes_first_and_each_office_sees_its_own(world):
    red, yellow, blue = world.declare("red", "yellow", "blue")
    (other,) = world.declare("red", office="020")
    queue = world.desk.queue
    assert [case.number for case in queue.page(ANA)] == [yellow, red, blue]
    assert [case.number for case in queue.page(ELSEWHERE)] == [other]
    assert [case.number for case in queue.page(SUE)] == [yellow, red, other, blue]
    assert [case.number for case in queue.page(SUE, office="010", lane="red")] == [red]
    first, second = queue.page(SUE, most=2)
    assert [case.number for case in queue.page(SUE, after=(second.due_at, second.number))] == [other, blue]
    assert first.due_at - first.opened_at == timedelta(hours=2)
    assert queue.take_next(ANA).number == yellow
    assert queue.take_next(ANA).number == red


def test_pages_have_fifty_cases_and_go_on_where_several_have_one_time_limit(world):
    numbers = world.declare(*["red"] * 51, received_at=NOON)
    first = world.desk.queue.page(ANA)
    assert [case.number for case in first] == numbers[:50]
    assert [case.number for case in world.desk.queue.page(ANA, after=(first[-1].due_at, numbers[49]))] == numbers[50:]


def test_a_case_that_is_held_is_free_again_when_its_lease_has_ended(world):
    (number,) = world.declare("red")
    queue = world.desk.queue
    assert queue.take(ANA, number).holder == "ana"
    with pytest.raises(Refused, match=f"ana holds case {number} until 2024-05-02T12:30"):
        queue.take(BEN, number)
    assert queue.take_next(BEN) is None
    world.clock.wait(minutes=29)
    assert queue.take(ANA, number).lease_until == world.clock() + timedelta(minutes=30)
    world.clock.wait(minutes=30)
    assert queue.page(ANA)[0].holder is None
    assert queue.page(ANA, held_by="ana") == []
    assert queue.take_next(BEN).number == number
    assert [case.number for case in queue.page(ANA, held_by="ben")] == [number]
    told = [(event.actor, event.action, event.words) for event in world.desk.looking.open(BEN, number).history]
    assert told[1:] == [
        ("ana", "took", ""),
        ("ana", "renewed", ""),
        ("desk", "lease ended", "ana"),
        ("ben", "took", ""),
        ("ben", "looked", ""),
    ]


def test_a_case_is_given_back_and_handed_over(world):
    (number,) = world.declare("red")
    queue = world.desk.queue
    queue.take(ANA, number)
    with pytest.raises(Refused, match="is not in your hands: ana holds it"):
        queue.give_back(BEN, number)
    queue.give_back(ANA, number)
    with pytest.raises(Refused, match="is not in your hands: nobody holds it"):
        queue.hand_over(ANA, number, BEN)
    queue.take(ANA, number)
    with pytest.raises(Refused, match=f"case {number} cannot go to eve"):
        queue.hand_over(ANA, number, ELSEWHERE)
    assert queue.hand_over(ANA, number, BEN).holder == "ben"
    assert queue.hand_over(SUE, number, ANA).holder == "ana"


def test_a_case_of_another_office_is_as_none(world):
    (number,) = world.declare("red")
    for act in (world.desk.queue.take, world.desk.looking.open, world.desk.queue.give_back):
        with pytest.raises(Refused, match=f"case {number} does not exist in your offices: 020"):
            act(ELSEWHERE, number)
    with pytest.raises(Refused, match="office 010 is not yours; allowed: 020"):
        world.desk.queue.take_next(ELSEWHERE, ["010"])
    with pytest.raises(Refused, match="does not exist in your offices: none"):
        world.desk.queue.take(Officer("new", ()), number)
    assert world.desk.queue.take_next(ELSEWHERE) is None


def test_a_supervisor_who_took_the_first_look_sees_the_second_and_does_not_take_it(tmp_path):
    world = desks.world(tmp_path, Rules(second_look_share=0.5))
    for number in world.declare(*["red"] * 8):
        world.close(SUE, number)
    second = world.desk.queue.page(SUE)[0].number
    with pytest.raises(Refused, match=f"case {second} does not exist in your offices: 010, 020"):
        world.desk.queue.take(SUE, second)
    assert world.desk.queue.take_next(SUE) is None
    assert world.desk.queue.take(ANA, second).holder == "ana"


def test_counts_tell_what_waits_what_is_free_and_what_is_late(world):
    numbers = world.declare("red", "red", "yellow")
    world.declare("blue", office="020")
    world.desk.queue.take(ANA, numbers[0])
    counts = world.desk.queue.counts
    assert [(count.office, count.lane, count.waiting, count.free, count.late) for count in counts(SUE)] == [
        ("010", "red", 2, 1, 0),
        ("010", "yellow", 1, 1, 0),
        ("020", "blue", 1, 1, 0),
    ]
    world.clock.wait(minutes=30)
    assert [count.free for count in counts(ANA)] == [2, 1]  # the lease ends at this instant
    yellow = next(case for case in world.every() if case.lane == "yellow")
    world.clock.at = yellow.due_at
    assert [count.late for count in counts(ANA)] == [0, 0]
    world.clock.wait(seconds=1)
    assert [count.late for count in counts(ANA)] == [0, 1]
    world.clock.wait(hours=7)
    assert [(count.lane, count.free, count.late) for count in counts(ANA)] == [("red", 2, 0), ("yellow", 1, 1)]


def test_the_next_case_is_found_in_the_order_of_its_index(world):
    given = _NEXT.params(offices=["010", "020"], name="ana")
    asked = given.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with world.desk.shared.tables.reading() as connection:
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")]
    assert "SCAN desk_cases USING INDEX desk_cases_free" in plan
    assert not [step for step in plan if "TEMP" in step]

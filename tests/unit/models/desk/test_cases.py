"""Cases follow from decisions: one a declaration, raised by amendments, and never lowered."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from models.desk import Refused
from models.desk.cases import PAGE
from models.desk.record import CaseItem
from tests.support.desks import ANA, NOON, SUE, placed


def history(world, number):
    return [(event.action, event.words) for event in world.desk.looking.open(SUE, number).history[:-1]]


def test_each_declaration_in_a_lane_has_one_case_and_a_green_one_has_none(world):
    world.decide(placed(1, "red"), placed(2, "green"), placed(3, "blue", lanes=("green", "blue")))
    assert world.desk.cases.follow(world.log) == 2
    assert world.desk.cases.follow(world.log) == 0
    red, blue = world.every()
    assert (red.declaration_id, red.lane, blue.declaration_id, blue.lane) == ("D1", "red", "D3", "blue")
    assert blue.items == (CaseItem(1, "green"), CaseItem(2, "blue"))
    assert (red.accepted_at, red.decision_id) == (datetime(2024, 5, 2, 9), "20240502-0000000000000001")
    assert red.opened_at == NOON - timedelta(hours=1) + timedelta(seconds=1)
    assert red.due_at == red.opened_at + timedelta(hours=10)
    assert history(world, red.number) == [("opened", "")]


def test_a_declaration_of_one_item_has_a_case_as_others_have(world):
    made = placed(1)
    world.decide(placed(1, items=made.items[:1], declared=made.declared[:1]))
    assert world.desk.cases.follow(world.log) == 1
    (case,) = world.every()
    assert (case.accepted_at, case.items) == (datetime(2024, 5, 2, 9), (CaseItem(1, "red"),))


def test_decisions_that_are_followed_by_several_at_once_open_each_case_once(world):
    world.decide(*(placed(number, "red") for number in range(1, 251)))
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: world.desk.cases.follow(world.log), range(4)))
    assert sum(counts) == 250
    assert len({case.declaration_id for case in world.every()}) == 250
    assert {len(case.items) for case in world.every()} == {2}


def test_a_page_of_decisions_is_followed_at_a_time_until_none_is_left(world):
    world.decide(*(placed(number, "red") for number in range(1, PAGE + 3)))
    assert [world.desk.cases.follow_page(world.log) for _ in range(3)] == [PAGE, 2, None]
    assert len(world.every()) == PAGE + 2


def test_an_amendment_raises_a_case_and_never_lowers_it(world):
    (number,) = world.declare("yellow")
    before = world.every()[0]
    world.decide(placed(2, "red", declaration_id="D1", version=2))
    assert world.desk.cases.follow(world.log) == 0
    (raised,) = world.every()
    assert (raised.number, raised.lane, raised.version) == (number, "red", 2)
    assert raised.due_at == before.due_at  # which is earlier than that of a red case opened now
    assert raised.items[0] == CaseItem(1, "red")
    world.decide(placed(3, "blue", declaration_id="D1", version=3))
    world.desk.cases.follow(world.log)
    (kept,) = world.every()
    assert (kept.lane, kept.version, kept.items[0].lane) == ("red", 3, "red")
    assert history(world, number) == [
        ("opened", ""),
        ("amended", "version 2: from yellow to red"),
        ("amended", "version 3"),
    ]


def test_an_amendment_of_a_green_declaration_opens_a_case_as_of_the_first_version(world):
    first = placed(1, "green")
    later = tuple({**each, "accepted_at": "2024-05-02T11:00:00"} for each in first.declared)
    world.decide(first, placed(2, "blue", declaration_id="D1", version=2, declared=later))
    assert world.desk.cases.follow(world.log) == 1
    (case,) = world.every()
    assert (case.lane, case.version, case.accepted_at) == ("blue", 2, datetime(2024, 5, 2, 9))


def test_a_closed_case_is_open_again_only_if_an_amendment_raises_it(world):
    (number,) = world.declare("yellow")
    world.close(ANA, number)
    world.decide(placed(2, "blue", declaration_id="D1", version=2))
    world.desk.cases.follow(world.log)
    assert world.every() == []
    world.decide(placed(3, "yellow", declaration_id="D1", version=3, lanes=("yellow", "blue")))
    world.desk.cases.follow(world.log)
    (case,) = world.every()
    assert (case.number, case.lane, case.holder, case.ending) == (number, "yellow", None, None)
    assert history(world, number)[-1] == ("amended", "version 3; open again")


def test_what_was_found_before_an_amendment_does_not_clear_what_it_has_raised(world):
    (number,) = world.declare("yellow")
    world.close(ANA, number)
    world.decide(placed(2, "yellow", declaration_id="D1", version=2, lanes=("yellow", "red")))
    world.desk.cases.follow(world.log)
    world.desk.queue.take(ANA, number)
    with pytest.raises(Refused, match="nothing was found yet of item 2 of case"):
        world.desk.endings.release(ANA, number)
    world.desk.findings.add(ANA, world.finding(number))
    assert world.desk.endings.release(ANA, number).is_closed

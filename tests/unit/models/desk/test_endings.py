"""Work on a case ends by a finding of every item, by an override, or in another lane; red takes two people to lower."""

import pytest

from models.desk import Refused
from tests.support.desks import ANA, BEN, ELSEWHERE, SUE, placed


def test_a_case_is_released_once_every_inspected_item_is_judged(world):
    world.decide(placed(1, lanes=("red", "blue")))
    world.desk.cases.follow(world.log)
    number = world.every()[0].number
    with pytest.raises(Refused, match="nobody holds it"):
        world.desk.endings.release(ANA, number)
    world.desk.queue.take(ANA, number)
    world.desk.findings.add(ANA, world.finding(number, item_number=1, kind="origin"))
    with pytest.raises(Refused, match=f"nothing was found yet of item 2 of case {number}; allowed: a finding for each"):
        world.desk.endings.release(ANA, number)
    world.desk.findings.add(ANA, world.finding(number, item_number=2))
    closed = world.desk.endings.release(ANA, number)
    assert (closed.closed_by, closed.ending, closed.holder, closed.closed_at) == (
        "ana",
        "released",
        None,
        world.clock(),
    )
    assert world.every() == []
    for act in (world.desk.endings.release, world.desk.queue.take, world.desk.queue.give_back):
        with pytest.raises(Refused, match=f"case {number} was closed by ana"):
            act(ANA, number)


def test_yellow_and_blue_are_overridden_with_a_reason(world):
    (number,) = world.declare("yellow")
    world.desk.queue.take(ANA, number)
    for reason in ("", "  ", "x" * 4001):
        with pytest.raises(Refused, match="allowed: 1 to 4000"):
            world.desk.endings.override(ANA, number, reason)
    words = "a humanitarian consignment".ljust(4000, "!")
    closed = world.desk.endings.override(ANA, number, words)
    assert (closed.ending, closed.lane) == ("overridden", "yellow")
    assert world.desk.looking.open(SUE, number).history[-2].words == words


def test_a_red_case_is_overridden_by_two_people(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    asked = world.desk.endings.override(ANA, number, "perishable")
    assert (asked.is_closed, asked.asked_lane, asked.asked_by, asked.holder) == (False, "green", "ana", "ana")
    with pytest.raises(Refused, match="you asked for green yourself; allowed: somebody else"):
        world.desk.endings.confirm(ANA, number)
    with pytest.raises(Refused, match="does not exist"):
        world.desk.endings.confirm(ELSEWHERE, number)
    closed = world.desk.endings.confirm(BEN, number, "seen")
    assert (closed.ending, closed.closed_by, closed.asked_lane) == ("overridden", "ana", None)
    told = [(event.actor, event.action, event.words) for event in world.desk.looking.open(SUE, number).history[2:5]]
    assert told == [
        ("ana", "asked", "green: perishable"),
        ("ben", "confirmed", "seen"),
        ("ana", "overridden", "confirmed by ben"),
    ]


def test_a_red_case_is_lowered_by_two_people_and_raised_by_one(world):
    world.decide(placed(1, lanes=("red", "blue")))
    world.desk.cases.follow(world.log)
    number = world.every()[0].number
    world.desk.queue.take(ANA, number)
    world.desk.endings.pass_on(ANA, number, "yellow", "nothing to see in a container")
    assert world.every()[0].lane == "red"
    declined = world.desk.endings.decline(BEN, number, "look at it")
    assert (declined.lane, declined.asked_lane, declined.asked_by) == ("red", None, None)
    with pytest.raises(Refused, match="nobody has asked"):
        world.desk.endings.confirm(BEN, number)
    world.desk.endings.pass_on(ANA, number, "yellow", "really")
    lowered = world.desk.endings.confirm(BEN, number)
    assert (lowered.lane, lowered.holder, lowered.asked_by) == ("yellow", None, None)
    assert [item.lane for item in lowered.items] == ["yellow", "blue"]
    assert (lowered.due_at - world.clock()).total_seconds() == 2 * 3600
    world.desk.queue.take(BEN, number)
    raised = world.desk.endings.pass_on(BEN, number, "red", "the seal is broken")
    assert [item.lane for item in raised.items] == ["red", "red"]
    assert world.desk.looking.open(SUE, number).history[-2].words == "from yellow to red: the seal is broken"


def test_documents_go_to_audit_without_a_second_person(world):
    (number,) = world.declare("yellow")
    world.desk.queue.take(ANA, number)
    for lane in ("yellow", "green"):
        with pytest.raises(Refused, match=f"lane is '{lane}'; allowed: red, blue"):
            world.desk.endings.pass_on(ANA, number, lane, "so")
    with pytest.raises(Refused, match="lane is 'orange'"):
        world.desk.endings.pass_on(ANA, number, "orange", "so")
    passed = world.desk.endings.pass_on(ANA, number, "blue", "the accounts tell more")
    assert (passed.lane, [item.lane for item in passed.items]) == ("blue", ["blue", "green"])


def test_papers_in_order_do_not_clear_goods_that_are_to_be_examined(world):
    (number,) = world.declare("yellow")
    world.desk.queue.take(ANA, number)
    world.desk.findings.add(ANA, world.finding(number))
    world.desk.endings.pass_on(ANA, number, "red", "the seal is broken")
    world.desk.queue.take(BEN, number)
    with pytest.raises(Refused, match="nothing was found yet of item 1"):
        world.desk.endings.release(BEN, number)
    world.desk.findings.add(BEN, world.finding(number, item_number=1, kind="quantity"))
    world.desk.endings.pass_on(BEN, number, "blue", "look at the books")
    lowered = world.desk.endings.confirm(ANA, number)
    world.desk.queue.take(ANA, lowered.number)
    assert world.desk.endings.release(ANA, number).is_closed


def test_what_was_asked_falls_when_an_amendment_comes(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    world.desk.endings.override(ANA, number, "perishable")
    world.decide(placed(2, "red", declaration_id="D1", version=2))
    world.desk.cases.follow(world.log)
    with pytest.raises(Refused, match="nobody has asked"):
        world.desk.endings.confirm(BEN, number)


def test_what_another_case_system_judged_is_released_unless_it_is_in_hand_closed_or_not_judged(world):
    judged, held, open_still = world.declare("red", "red", "red")
    for number in (judged, held):
        world.desk.findings.bring_in(SUE, "zoe", world.finding(number))
    world.desk.queue.take(ANA, held)
    release = world.desk.endings.release_judged
    with pytest.raises(Refused, match="ana is no supervisor"):
        release(ANA, judged, "zoe")
    assert [release(SUE, number, "zoe") for number in (judged, held, open_still)] == [True, False, False]
    assert [case.number for case in world.every()] == [held, open_still]
    assert release(SUE, judged, "zoe") is False
    told = world.desk.looking.open(SUE, judged)
    assert (told.case.closed_by, told.case.ending) == ("zoe", "released")
    assert [event.words for event in told.history if event.action == "released"] == ["brought in by sue"]
    world.desk.queue.give_back(ANA, held)
    assert release(SUE, held, "zoe") is True

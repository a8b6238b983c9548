"""Two looks at one declaration: how often they agree, and which disagree."""

from datetime import timedelta

import pytest

from models.desk import Officer, Refused
from models.desk.second_look import Pair, agreement, wilson
from models.policy import Desk as Rules
from tests.support.desks import ANA, BEN, NOON, SUE, placed


@pytest.fixture
def rules():
    return Rules(second_look_share=0.5)


def pairs(*found):
    return [
        Pair(f"D{place}", "010", "red", NOON, place, "ana", first, place + 100, "ben", second, None)
        for place, (first, second) in enumerate(found)
    ]


def test_agreement_is_a_share_with_its_interval_and_kappa():
    told = agreement(
        "010", pairs(*[(True, True)] * 20, *[(True, False)] * 5, *[(False, True)] * 10, *[(False, False)] * 15)
    )
    assert (told.pairs, told.agreed, told.rate) == (50, 35, 0.7)
    assert told.kappa == pytest.approx(0.4)  # Cohen's own example: 0.7 observed, 0.5 by chance
    assert (told.low, told.high) == pytest.approx((0.5625, 0.8090), abs=1e-4)


def test_agreement_without_a_pair_or_without_variety_says_that_it_cannot_be_judged():
    none = agreement("010", [])
    assert (none.pairs, none.rate, none.low, none.kappa) == (0, None, None, None)
    alike = agreement("010", pairs(*[(False, False)] * 4))
    assert (alike.rate, alike.high, alike.kappa) == (1.0, 1.0, None)


def test_the_interval_stays_within_bounds():
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0


def test_pairs_are_compared_as_they_were_closed(world):
    numbers = world.declare(*["red"] * 8)
    for number in numbers:
        world.close(ANA, number)
    agreed, disagreed, unfinished = world.every()[:3]
    world.clock.wait(hours=1)
    world.close(BEN, agreed.number)
    world.clock.wait(hours=1)
    begin = world.clock()
    world.close(BEN, disagreed.number, item_number=1, kind="documents")
    world.desk.queue.take(BEN, unfinished.number)
    world.desk.findings.add(BEN, world.finding(unfinished.number, item_number=1, kind="documents"))
    both = world.desk.second_looks.pairs(SUE)
    assert [(pair.declaration_id, pair.first_found, pair.second_found) for pair in both] == [
        (agreed.declaration_id, False, False),
        (disagreed.declaration_id, False, True),
    ]
    assert [(pair.first_officer, pair.second_officer, pair.lane) for pair in both] == [("ana", "ben", "red")] * 2
    assert world.desk.second_looks.pairs(SUE, since=begin, until=begin + timedelta(hours=2)) == both[1:]
    assert world.desk.second_looks.pairs(SUE, until=begin) == both[:1]
    assert world.desk.second_looks.disagreements(SUE) == both[1:]
    ours, other = world.desk.second_looks.agreement(SUE, begin, begin + timedelta(hours=2))
    assert (ours.office, ours.pairs, ours.agreed, other.office, other.pairs) == ("010", 1, 0, "020", 0)

    # What a supervisor finds afterwards does not change what the two of them saw.
    first = both[1].first
    world.desk.findings.add(SUE, world.finding(first, item_number=1, kind="documents"))
    assert world.desk.second_looks.disagreements(SUE) == both[1:]
    world.desk.findings.settle(SUE, disagreed.number, "forged")
    assert world.desk.second_looks.disagreements(SUE) == []
    assert world.desk.second_looks.pairs(SUE)[1].counts == disagreed.number


def test_second_looks_are_shown_to_supervisors_of_the_office(world):
    for act in (world.desk.second_looks.pairs, world.desk.second_looks.disagreements):
        with pytest.raises(Refused, match="ana is no supervisor"):
            act(ANA)
    for number in world.declare(*["red"] * 8):
        world.close(ANA, number)
    world.close(BEN, world.every()[0].number)
    assert world.desk.second_looks.pairs(Officer("else", ("020",), is_supervisor=True)) == []
    assert len(world.desk.second_looks.pairs(SUE)) == 1


def test_a_case_that_is_closed_without_findings_does_not_come_back(world):
    for number in world.declare(*["yellow"] * 12):
        world.desk.queue.take(ANA, number)
        world.desk.endings.override(ANA, number, "no time")
    assert world.every() == []


def test_nothing_is_looked_at_three_times(world):
    numbers = world.declare(*["red"] * 12)
    for number in numbers:
        world.close(ANA, number)
    again = world.every()
    for case in again:
        world.close(BEN, case.number)
    assert world.every() == []
    first = again[0].declaration_id
    world.decide(placed(13, declaration_id=first, version=2, lanes=("red", "red")))
    world.desk.cases.follow(world.log)
    (raised,) = world.every()
    assert (raised.declaration_id, raised.version, raised.number in numbers) == (first, 2, True)
    assert first not in {pair.declaration_id for pair in world.desk.second_looks.pairs(SUE)}
    world.close(ANA, raised.number)
    assert world.every() == []
    assert first in {pair.declaration_id for pair in world.desk.second_looks.pairs(SUE)}

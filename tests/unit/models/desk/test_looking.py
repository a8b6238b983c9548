"""A first impression comes before the score, and nothing an officer sees tells a second look from a first one."""

import msgspec
import pytest

from models.desk import Refused
from models.desk.looking import UNTIL_FINDING, UNTIL_IMPRESSION
from models.policy import Desk as Rules
from tests.support import desks
from tests.support.desks import ANA, BEN, CLEO, SUE


@pytest.fixture
def rules():
    return Rules(is_score_hidden=True)


def test_the_score_is_told_after_the_first_impression_and_stays_written_down(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    assert world.desk.looking.open(ANA, number).hidden_until == UNTIL_IMPRESSION
    with pytest.raises(Refused, match=f"the score of case {number} is told after your impression"):
        world.desk.looking.tell(ANA, number)
    with pytest.raises(Refused, match="impression is 'hm'; allowed: clear, suspicious"):
        world.desk.looking.give_impression(ANA, number, "hm")
    world.desk.looking.give_impression(ANA, number, "clear")
    first, second = world.desk.looking.tell(ANA, number)
    assert (first.item_number, first.critical, first.expected_revenue) == (1, 0.01, 1235.5)
    assert first.score == pytest.approx(0.1 / 7 + 1 / 11)
    assert (second.item_number, second.reasons) == (2, ("The importer is new, “really”.",))
    world.desk.looking.give_impression(ANA, number, "clear")
    with pytest.raises(Refused, match="your first impression was clear; allowed: one, which stays"):
        world.desk.looking.give_impression(ANA, number, "suspicious")
    opened = world.desk.looking.open(ANA, number)
    assert (opened.impression, opened.hidden_until) == ("clear", None)
    assert [event.action for event in opened.history[1:]] == ["took", "looked", "impression", "saw the score", "looked"]


def test_each_officer_gives_an_impression_of_their_own_also_after_the_lease_has_ended(world):
    (number,) = world.declare("red")
    with pytest.raises(Refused, match="was never in your hands; take it first"):
        world.desk.looking.give_impression(ANA, number, "clear")
    world.desk.queue.take(ANA, number)
    world.clock.wait(hours=2)
    world.desk.looking.give_impression(ANA, number, "clear")
    world.desk.queue.take(BEN, number)
    assert world.desk.looking.open(BEN, number).impression is None
    with pytest.raises(Refused, match="told after your impression"):
        world.desk.looking.tell(BEN, number)


def test_a_supervisor_sees_the_score_at_once(world):
    (number,) = world.declare("red")
    assert len(world.desk.looking.tell(SUE, number)) == 2
    world.desk.queue.take(SUE, number)
    with pytest.raises(Refused, match="a first impression comes before the score, and you have seen it"):
        world.desk.looking.give_impression(SUE, number, "clear")


def test_a_closed_case_is_open_to_those_who_worked_on_it_and_to_supervisors(world):
    (number,) = world.declare("yellow")
    world.close(ANA, number)
    assert world.desk.looking.open(ANA, number).case.is_closed
    assert world.desk.looking.open(SUE, number).case.ending == "released"
    with pytest.raises(Refused, match=f"case {number} is closed; allowed: those who worked on it, and supervisors"):
        world.desk.looking.open(BEN, number)


def test_where_the_policy_does_not_hide_the_score_it_is_told_at_once(tmp_path):
    world = desks.world(tmp_path, Rules())
    (number,) = world.declare("red")
    assert world.desk.looking.open(ANA, number).hidden_until is None
    assert len(world.desk.looking.tell(ANA, number)) == 2


@pytest.fixture
def twice(tmp_path):
    """A world in which half of the cases come back, with 40 closed ones."""
    world = desks.world(tmp_path, Rules(second_look_share=0.5, is_score_hidden=True))
    numbers = world.declare(*["red"] * 40)
    for number in numbers:
        world.close(ANA, number)
    return world


def test_about_the_stated_share_comes_back_for_whoever_has_not_seen_it(twice):
    again = [case.number for case in twice.every()]
    assert 12 <= len(again) <= 28
    assert min(again) > 40
    assert twice.desk.queue.page(ANA) == []
    assert twice.desk.queue.counts(ANA) == []
    assert twice.desk.queue.take_next(ANA) is None
    with pytest.raises(Refused, match="does not exist"):
        twice.desk.queue.take(ANA, again[0])
    with pytest.raises(Refused, match="does not exist"):
        twice.desk.looking.open(ANA, again[0])
    assert [case.number for case in twice.desk.queue.page(BEN, most=100)] == again
    twice.desk.queue.take(BEN, again[0])
    with pytest.raises(Refused, match="cannot go to ana"):
        twice.desk.queue.hand_over(BEN, again[0], ANA)
    # A supervisor sees all of them, and may not judge again what they have looked at before.
    assert [case.number for case in twice.desk.queue.page(SUE, most=100)] == again
    last = twice.every()[-1]
    (first,) = (
        number
        for number in range(1, 41)
        if twice.desk.looking.open(SUE, number).case.declaration_id == last.declaration_id
    )
    assert first < last.number
    with pytest.raises(Refused, match=f"case {last.number} does not exist"):
        twice.desk.queue.take(SUE, last.number)
    assert twice.desk.queue.take_next(SUE) is None


def test_a_second_look_looks_like_a_first_one(twice):
    twice.declare(*["red"] * 40)
    fresh = {case.number for case in twice.every() if case.declaration_id in {f"D{n}" for n in range(41, 81)}}
    hidden = {}
    for case in twice.desk.queue.page(BEN, most=200):
        twice.desk.queue.take(BEN, case.number)
        opened = twice.desk.looking.open(BEN, case.number)
        assert opened.findings == ()
        assert [event.action for event in opened.history] == ["opened", "took", "looked"]
        assert [event.actor for event in opened.history] == ["desk", "ben", "ben"]
        twice.desk.looking.give_impression(BEN, case.number, "clear")
        hidden[case.number] = twice.desk.looking.open(BEN, case.number).hidden_until
    told = set(msgspec.structs.asdict(case))
    assert not told & {"look", "reason", "score", "probability"}
    assert {hidden[number] for number in hidden.keys() - fresh} == {UNTIL_FINDING}
    withheld = sum(hidden[number] == UNTIL_FINDING for number in fresh)
    assert 10 <= withheld <= 30
    assert withheld + sum(hidden[number] is None for number in fresh) == 40


def test_after_a_finding_the_score_of_a_second_look_is_told(twice):
    number = twice.every()[0].number
    twice.desk.queue.take(CLEO, number)
    twice.desk.looking.give_impression(CLEO, number, "suspicious")
    with pytest.raises(Refused, match="told after your finding"):
        twice.desk.looking.tell(CLEO, number)
    twice.desk.findings.add(CLEO, twice.finding(number))
    assert len(twice.desk.looking.tell(CLEO, number)) == 2
    twice.desk.queue.hand_over(CLEO, number, BEN)
    twice.desk.looking.give_impression(BEN, number, "clear")
    with pytest.raises(Refused, match="told after your finding"):
        twice.desk.looking.tell(BEN, number)

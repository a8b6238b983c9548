"""An officer who misses half of what is there is flagged, and honest ones hardly ever."""

import math
from datetime import timedelta

import msgspec
import pytest

from models import policy
from models.desk import Refused
from models.desk.checks import FEW_LOOKS, MOST_PROBABLE, STRETCH, Check, Closed, Look, check, checked
from models.desk.second_look import Pair
from models.policy import Desk as Rules
from tests.support.desks import ANA, BEN, NOON, SUE, placed
from tests.trials import checks as trial

LANES = policy.load().targeting.lanes


@pytest.fixture
def rules():
    return Rules(second_look_share=0.5)


def closed(number, officer, *, found=False, office="010", is_random=False):
    return Closed(number, officer, office, NOON + timedelta(minutes=number), is_random, found)


def pair(first, found, second, other_found, *, officers=("ana", "ben"), counts=None, lane="red"):
    at = NOON + timedelta(minutes=second)
    return Pair(f"D{first}", "010", lane, at, first, officers[0], found, second, officers[1], other_found, counts)


def test_evidence_is_the_largest_log_likelihood_ratio_on_the_way():
    looks = [Look(False, 0.8), Look(True, 0.5), Look(False), Look(True)]
    told = check("ana", looks)
    assert told.evidence == pytest.approx(math.log(0.6 / 0.2))
    assert (told.inspections, told.telling, told.found, told.flags) == (4, 2, 1, 0)
    assert told.expected == pytest.approx(1.3)
    assert told.bound == pytest.approx(math.log(50))
    assert check("ana", looks[1:2]).evidence == 0
    assert check("ana", []) == Check("ana", 0, 0, 0.0, 0, 0.0, told.bound, 0)


def test_a_stretch_begins_anew_and_flags_are_remembered():
    missed, found = [Look(False, 0.9)] * 3, [Look(True, 0.9)] * 3
    assert check("ana", found + missed, stretch=6).is_flagged is False
    later = check("ana", found + missed, stretch=3)
    assert (later.is_flagged, later.flags, later.inspections) == (True, 1, 3)
    past = check("ana", missed + found, stretch=3)
    assert (past.is_flagged, past.flags) == (False, 1)


def test_whoever_was_flagged_on_the_way_stays_so_for_the_stretch():
    told = check("ana", [Look(False, 0.9)] * 3 + [Look(True, 0.9)] * 3)
    assert told.evidence == pytest.approx(3 * math.log(0.55 / 0.1))
    assert (told.is_flagged, told.flags) == (True, 1)


def test_looks_count_in_the_order_in_which_they_came_to_be_known():
    early, late = (NOON.replace(tzinfo=None) + timedelta(hours=hours) for hours in (1, 2))
    missed, found = Look(False, 0.9, late), Look(True, 0.9, early)
    assert check("ana", [missed, found]).evidence == check("ana", [found, missed]).evidence
    assert check("ana", [missed, found]).evidence == pytest.approx(math.log(0.55 / 0.1 / 2))


def test_of_a_pair_only_what_the_other_found_tells():
    every = [closed(1, "ana"), closed(2, "ben", found=True), closed(3, "ana"), closed(4, "ben")]
    ana, ben = checked(every, [pair(1, False, 2, True), pair(3, False, 4, False)], LANES)
    assert (ana.officer, ana.inspections, ana.telling, ana.found) == ("ana", 2, 1, 0)
    assert ana.expected == pytest.approx(LANES.red.detects)
    assert (ben.telling, ben.evidence) == (0, 0.0)


def test_others_who_agree_make_a_miss_tell_more():
    others = [
        pair(10 + 2 * n, True, 11 + 2 * n, True, officers=("cleo", "dora"), lane="blue") for n in range(FEW_LOOKS // 2)
    ]
    mine = pair(1, False, 2, True, lane="blue")
    ana, _ = checked([closed(1, "ana"), closed(2, "ben", found=True)], [*others, mine], LANES)
    assert ana.expected == pytest.approx((1 + LANES.blue.detects) / 2)
    of_other_lanes = [pair(1, False, 2, True, lane="yellow"), *others]
    ana, _ = checked([closed(1, "ana"), closed(2, "ben", found=True)], of_other_lanes, LANES)
    assert ana.expected == pytest.approx(LANES.yellow.detects)


def test_nothing_is_found_for_certain_however_often_others_agree():
    others = [pair(10 + 2 * n, True, 11 + 2 * n, True, officers=("cleo", "dora")) for n in range(400)]
    ana, _ = checked([closed(1, "ana"), closed(2, "ben", found=True)], [*others, pair(1, False, 2, True)], LANES)
    assert ana.expected == MOST_PROBABLE


def test_a_first_look_tells_from_when_the_second_one_was_closed():
    every = [closed(1, "ana"), closed(2, "ana", found=True), closed(3, "ben", found=True), closed(4, "ben", found=True)]
    missed_first = [pair(1, False, 3, True), pair(2, True, 4, True, lane="yellow")]
    missed_last = [pair(1, False, 4, True), pair(2, True, 3, True, lane="yellow")]
    up, down = math.log((1 - LANES.red.detects / 2) / (1 - LANES.red.detects)), math.log(0.5)
    assert checked(every, missed_first, LANES)[0].evidence == pytest.approx(up)
    assert checked(every, missed_last, LANES)[0].evidence == pytest.approx(up + down)


@pytest.mark.parametrize(("counts", "telling"), [(None, 1), (2, 1), (1, 0)])
def test_what_a_supervisor_has_ruled_to_be_nothing_was_not_there(counts, telling):
    ana, _ = checked([closed(1, "ana"), closed(2, "ben", found=True)], [pair(1, False, 2, True, counts=counts)], LANES)
    assert ana.telling == telling


def test_what_chance_drew_tells_where_enough_colleagues_of_the_office_saw_some():
    colleagues = [closed(n, "ben", found=n % 5 == 0, is_random=True) for n in range(50)]
    elsewhere = [closed(900 + n, "eve", found=True, is_random=True, office="020") for n in range(50)]
    mine = [closed(100, "ana", is_random=True), closed(101, "ana"), closed(102, "ana", found=True, is_random=True)]
    ana = checked([*colleagues, *elsewhere, *mine], [], LANES)[0]
    assert (ana.inspections, ana.telling, ana.found) == (3, 2, 1)
    assert ana.expected == pytest.approx(0.4)
    assert checked([*colleagues[1:], *elsewhere, *mine], [], LANES)[0].telling == 0


def test_the_desk_gathers_what_officers_closed(world):
    every = world.declare(*["red"] * 60)
    begin = world.clock()
    for number in every:
        world.clock.wait(minutes=1)
        world.close(BEN, number, item_number=1, kind="origin")
    again = [case.number for case in world.every()]
    for number in again:
        world.clock.wait(minutes=1)
        world.close(ANA, number)
    until = world.clock() + timedelta(minutes=1)
    ana, ben = world.desk.checks.officers(SUE, begin, until, LANES)
    assert (ana.inspections, ana.telling, ana.found, ana.is_flagged) == (len(again), len(again), 0, True)
    assert (ben.inspections, ben.telling, ben.is_flagged) == (60, 0, False)
    (before,) = world.desk.checks.officers(SUE, begin, begin + timedelta(minutes=10), LANES)
    assert (before.officer, before.inspections) == ("ben", 9)
    with pytest.raises(Refused, match="ben is no supervisor"):
        world.desk.checks.officers(BEN, begin, until, LANES)


def test_a_second_look_at_what_chance_drew_is_no_chance_declaration(world):
    for number in range(1, 61):
        made = placed(number)
        items = tuple(msgspec.structs.replace(item, reason="random") for item in made.items)
        world.decide(msgspec.structs.replace(made, items=items))
    world.desk.cases.follow(world.log)
    for case in world.every():
        told = {"item_number": 1, "kind": "origin"} if case.number % 4 == 0 else {}
        world.close(BEN, case.number, **told)
    again = world.every()
    for case in again:
        world.close(ANA, case.number)
    until = world.clock() + timedelta(minutes=1)
    ana, ben = world.desk.checks.officers(SUE, NOON, until, LANES)
    found = {pair.second for pair in world.desk.second_looks.pairs(SUE) if pair.first_found}
    assert 0 < len(found) == ana.telling < ana.inspections == len(again)
    assert ben.telling == 0  # nobody else has inspected what chance drew


def test_most_who_miss_half_are_flagged_within_a_stretch_and_few_others():
    told = trial.world(3, offices=12, share=policy.load().desk.second_look_share)
    assert (told["planted"], STRETCH) == (6, 400)
    assert told["planted_flagged"] >= 5
    assert told["honest"] > 40
    assert told["honest_flagged"] <= 1

"""Findings are added once and never changed; what comes too late waits for a supervisor."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa

from models.desk import Finding, Refused
from models.desk.tables import results
from models.policy import Desk as Rules
from tests.support import desks
from tests.support.desks import ANA, BEN, CLEO, NOON, SUE, placed


def outcomes(world):
    """Return what counts of each item, in the order in which it came to count."""
    with world.desk.shared.tables.reading() as connection:
        rows = connection.execute(sa.select(results).order_by(results.c.number)).all()
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [(row.declaration_id, row.item_number, row.is_illicit, row.recovered_revenue) for row in rows]


def test_a_finding_becomes_the_outcome_of_its_item(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    world.clock.wait(hours=2)  # the lease has ended, and nobody else has taken the case
    told = {"item_number": 1, "kind": "origin", "revenue": 120.5, "is_critical": True, "words": "made in B, not A"}
    filed = world.desk.findings.add(ANA, world.finding(number, **told))
    assert (filed.officer, filed.conflict, filed.finding.words) == ("ana", "", "made in B, not A")
    with world.desk.shared.tables.reading() as connection:
        (row,) = connection.execute(sa.select(results)).mappings()
    assert dict(row) == {
        "number": 1,
        "case_number": number,
        "officer": "ana",
        "declaration_id": "D1",
        "item_number": 1,
        "accepted_at": datetime(2024, 5, 2, 9),
        "is_illicit": True,
        "is_critical": True,
        "recovered_revenue": 120.5,
        "inspection_channel": "red",
        "selection_probability": 1 / 4,
        "known_at": NOON.replace(tzinfo=None) + timedelta(hours=2),
    }
    assert world.desk.looking.open(ANA, number).findings == (filed,)


def test_nothing_found_is_about_the_inspected_items_without_an_infringement(world):
    world.decide(placed(1, lanes=("red", "yellow")), placed(2, lanes=("red", "green")))
    world.desk.cases.follow(world.log)
    one, two = (case.number for case in world.every())
    world.desk.queue.take(ANA, one)
    world.desk.queue.take(ANA, two)
    world.desk.findings.add(ANA, world.finding(one, item_number=2, kind="quantity"))
    world.desk.findings.add(ANA, world.finding(one))
    world.desk.findings.add(ANA, world.finding(two))
    assert outcomes(world) == [("D1", 2, True, None), ("D1", 1, False, 0.0), ("D2", 1, False, 0.0)]
    world.desk.findings.add(ANA, world.finding(two, item_number=2, kind="other", revenue=3.0))
    assert outcomes(world)[3:] == [("D2", 2, True, 3.0)]
    with world.desk.shared.tables.reading() as connection:
        told = connection.execute(sa.select(results).order_by(results.c.number)).all()
    assert not any(row.is_critical for row in told)
    assert [row.inspection_channel for row in told] == [
        "yellow",
        "red",
        "red",
        "red",
    ]  # a green item that is examined is so in the lane of its case


def test_infringements_of_an_item_add_up(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    for told in ({"kind": "origin", "revenue": 10.0}, {"kind": "quantity"}, {"kind": "documents", "revenue": 2.5}):
        world.desk.findings.add(ANA, world.finding(number, item_number=1, **told))
    assert outcomes(world) == [("D1", 1, True, 10.0), ("D1", 1, True, 12.5)]


def test_the_same_under_one_key_is_filed_once_and_another_is_refused(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    finding = world.finding(number, item_number=1, kind="origin")
    with ThreadPoolExecutor(4) as pool:
        filed = list(pool.map(lambda _: world.desk.findings.add(ANA, finding), range(8)))
    assert filed == filed[:1] * 8
    changed = msgspec.structs.replace(finding, revenue=1.0)
    with pytest.raises(Refused, match=f"key {finding.key!r} has another finding"):
        world.desk.findings.add(ANA, changed)
    with pytest.raises(Refused, match="has another finding"):
        world.desk.findings.add(SUE, finding)
    world.close(ANA, number)
    assert world.desk.findings.add(ANA, finding) == filed[0]
    assert outcomes(world) == [("D1", 1, True, None)]


def test_a_finding_that_comes_after_somebody_else_has_closed_waits_as_a_conflict(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    offline = world.finding(number, item_number=1, kind="origin", revenue=9.0)
    world.clock.wait(hours=1)
    world.close(BEN, number)
    assert outcomes(world) == [("D1", 1, False, 0.0)]
    assert world.desk.findings.add(ANA, offline).conflict == "ben has closed the case"
    assert outcomes(world) == [("D1", 1, False, 0.0)]
    assert [each.finding for each in world.desk.findings.conflicts(SUE)] == [offline]
    assert [each.finding for each in world.desk.findings.conflicts(ANA)] == [offline]
    assert world.desk.findings.conflicts(BEN) == []
    with pytest.raises(Refused, match="ana is no supervisor"):
        world.desk.findings.accept(ANA, offline.key, "mine")
    with pytest.raises(Refused, match="no finding 'none' waits"):
        world.desk.findings.accept(SUE, "none", "")
    world.desk.findings.accept(SUE, offline.key, "she was there")
    assert outcomes(world) == [("D1", 1, False, 0.0), ("D1", 1, True, 9.0)]
    assert world.desk.findings.conflicts(SUE) == []


def test_a_finding_while_somebody_else_has_the_case_in_hand_is_a_conflict(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    world.clock.wait(hours=1)
    world.desk.queue.take(BEN, number)
    assert world.desk.findings.add(ANA, world.finding(number)).conflict == "ben has the case in hand"
    assert world.desk.findings.add(BEN, world.finding(number)).conflict == ""
    with pytest.raises(Refused, match=f"case {number} was never in your hands; take it first"):
        world.desk.findings.add(CLEO, world.finding(number))


def test_a_correction_replaces_ones_own_finding_and_an_appeal_a_closed_one(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    wrong = world.finding(number, item_number=1, kind="origin", revenue=900.0)
    right = world.finding(number, item_number=1, kind="origin", revenue=90.0, replaces=wrong.key)
    world.desk.findings.add(ANA, wrong)
    world.desk.findings.add(ANA, right)
    assert outcomes(world) == [("D1", 1, True, 900.0), ("D1", 1, True, 90.0)]
    world.desk.queue.hand_over(ANA, number, BEN)
    with pytest.raises(Refused, match=f"finding {right.key!r} is of ana; allowed: your own"):
        world.desk.findings.add(BEN, world.finding(number, replaces=right.key))
    world.desk.endings.release(BEN, number)
    appeal = world.finding(number, item_number=1, words="the court says so", replaces=right.key)
    assert world.desk.findings.add(SUE, appeal).conflict == ""
    assert outcomes(world)[2:] == [("D1", 1, False, 0.0)]


def test_a_correction_is_known_later_than_what_it_corrects_even_when_clocks_are_set_back(world):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    first = world.finding(number, item_number=1, kind="origin")
    world.desk.findings.add(ANA, first)
    world.clock.wait(minutes=-20)
    world.desk.findings.add(ANA, world.finding(number, item_number=1, replaces=first.key))
    with world.desk.shared.tables.reading() as connection:
        known = connection.execute(sa.select(results.c.known_at).order_by(results.c.number)).scalars().all()
    assert known[1] - known[0] == timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"item_number": 7, "kind": "origin"}, "item_number is 7; allowed: 1, 2"),
        ({"photos": ("0" * 64,)}, "photo 0000"),
        ({"replaces": "other"}, "replaces is 'other'; allowed: the key of a finding of case"),
    ],
)
def test_a_finding_that_names_what_its_case_does_not_have_is_refused(world, told, fault):
    (number,) = world.declare("red")
    world.desk.queue.take(ANA, number)
    with pytest.raises(Refused, match=fault):
        world.desk.findings.add(ANA, world.finding(number, **told))
    assert world.desk.looking.open(ANA, number).findings == ()


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"key": ""}, "key is ''; allowed: 1 to 64 characters"),
        ({"key": "k" * 65}, "key is 'kkk"),
        ({"found_at": datetime(2024, 5, 2)}, "allowed: an instant with its zone"),
        ({"kind": "origin"}, "item_number is ''; allowed: the item that infringes"),
        ({"kind": "smuggling", "item_number": 1}, "kind is 'smuggling'; allowed: undervaluation,"),
        ({"words": "x" * 4001}, "allowed: up to 4000 characters, and these are 4001"),
        ({"revenue": -1.0, "kind": "origin", "item_number": 1}, "revenue is '-1.0'; allowed: 0 to 1e[+]15"),
        ({"net_mass_kg": float("nan")}, "net_mass_kg is 'nan'"),
        ({"revenue": 5.0}, "revenue is '5.0'; allowed: 0 where nothing was found, or a kind"),
        ({"is_critical": True}, "is_critical is 'true'; allowed: false where nothing was found"),
    ],
)
def test_a_finding_that_cannot_be_is_refused(told, fault):
    with pytest.raises(Refused, match=fault):
        Finding(**{"key": "k", "case": 1, "found_at": NOON} | told)


def test_a_finding_from_outside_is_read_strictly():
    sent = {"key": "k", "case": 1, "found_at": "2024-05-02T12:00:00+09:00"}
    assert Finding.from_json(msgspec.json.encode(sent)).found_at == NOON
    for changed, fault in (
        ({"case": "1"}, "Expected `int`"),
        ({"score": 1}, "unknown field `score`"),
        ({"kind": "x", "item_number": 1}, "kind is 'x'"),
    ):
        with pytest.raises(Refused, match=fault):
            Finding.from_json(msgspec.json.encode(sent | changed))
    with pytest.raises(Refused, match="the finding is no JSON"):
        Finding.from_json(b"{")


def test_where_two_looks_disagree_the_first_counts_until_a_supervisor_settles(tmp_path):
    world = desks.world(tmp_path, Rules(second_look_share=0.5))
    numbers = world.declare(*["red"] * 8)
    for number in numbers:
        world.close(ANA, number)
    again = world.every()[0]
    first = next(
        number for number in numbers if world.desk.looking.open(SUE, number).case.declaration_id == again.declaration_id
    )
    before = outcomes(world)
    world.close(BEN, again.number, item_number=1, kind="documents", revenue=7.0)
    assert outcomes(world) == before
    with pytest.raises(Refused, match="ben is no supervisor"):
        world.desk.findings.settle(BEN, again.number, "mine")
    world.desk.findings.settle(SUE, again.number, "the invoice is forged")
    assert outcomes(world) == [*before, (again.declaration_id, 1, True, 7.0)]
    world.desk.findings.settle(SUE, first, "it is not")
    assert outcomes(world)[-1] == (again.declaration_id, 1, False, 0.0)
    once = next(
        number
        for number in numbers
        if number != first
        and not any(
            case.declaration_id == world.desk.looking.open(SUE, number).case.declaration_id for case in world.every()
        )
    )
    with pytest.raises(Refused, match="was looked at once"):
        world.desk.findings.settle(SUE, once, "?")

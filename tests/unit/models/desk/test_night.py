"""What the night selects has cases too: once, and only what is still to be done and that the window did not decide."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from models.desk.cases import PAGE
from models.desk.record import CaseItem
from tests.support import desks
from tests.support.desks import ANA, NOON, SUE, placed, select, store


@pytest.fixture
def night(tmp_path):
    return desks.night(tmp_path)


def names(world):
    return {case.declaration_id for case in world.every()}


def test_each_declaration_in_a_lane_has_a_case_and_a_green_one_has_none(world, night):
    store(night, ("N1", 1), ("N1", 2), ("N2", 1))
    select(night, ("N1", 1, "green"), ("N1", 2, "blue"), ("N2", 1, "green"))
    assert world.desk.cases.follow_night(night, world.log) == 1
    assert world.desk.cases.follow_night(night, world.log) == 0
    (case,) = world.every()
    assert (case.declaration_id, case.lane, case.office, case.decision_id) == ("N1", "blue", "010", None)
    assert (case.accepted_at, case.opened_at) == (datetime(2024, 5, 2, 8), NOON)
    assert case.due_at == NOON + timedelta(hours=100)
    assert case.items == (CaseItem(1, "green"), CaseItem(2, "blue"))
    told = world.desk.looking.tell(SUE, case.number)
    assert [(each.item_number, each.score, each.reasons) for each in told] == [(1, 0.25, ()), (2, 0.25, ())]


def test_declarations_come_in_the_order_in_which_they_were_selected(night):
    ids = [f"N{number}" for number in range(60, 0, -1)]
    store(night, *((name, 1) for name in ids))
    select(night, *((name, 1, "red") for name in ids))
    ((_, rows),) = night.selections.after(0)
    assert [each.declaration_id for each in night.selected(rows)] == ids


def test_nights_follow_on_each_other(world, night):
    for name in ("N1", "N2", "N3"):
        store(night, (name, 1))
        select(night, (name, 1, "yellow"))
        if name != "N2":
            assert world.desk.cases.follow_night(night, world.log) == (1 if name == "N1" else 2)
    assert [case.declaration_id for case in world.every()] == ["N1", "N2", "N3"]


def test_nights_that_several_follow_at_once_open_each_case_once(world, night):
    ids = [f"N{number}" for number in range(2 * PAGE + 1)]
    store(night, *((name, 1) for name in ids))
    for some in (ids[:PAGE], ids[PAGE:]):
        select(night, *((name, 1, "red") for name in some))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: world.desk.cases.follow_night(night, world.log), range(4)))
    world.desk.cases.follow_night(night, world.log)  # where all of them were slower than another one
    assert sorted(case.declaration_id for case in world.every()) == sorted(ids)
    assert world.desk.cases.follow_night(night, world.log) == 0


def test_a_night_that_was_cut_off_between_two_transactions_is_gone_on_with(world, night, monkeypatch):
    ids = [f"N{number}" for number in range(PAGE + 2)]
    store(night, *((name, 1) for name in ids))
    select(night, *((name, 1, "red") for name in ids))
    opened = []
    real = type(world.desk.cases)._open

    def dies(self, connection, case, rows):
        opened.append(case)
        if len(opened) == PAGE + 1:
            raise RuntimeError("killed")
        real(self, connection, case, rows)

    with monkeypatch.context() as patched:
        patched.setattr(type(world.desk.cases), "_open", dies)
        with pytest.raises(RuntimeError, match="killed"):
            world.desk.cases.follow_night(night, world.log)
    assert len(world.every()) == PAGE
    assert world.desk.cases.follow_night(night, world.log) == 2
    assert names(world) == set(ids)


def test_what_the_window_decided_is_passed_over_whether_or_not_that_was_followed_and_stored(world, night):
    """The window hands its choice over to the same log, before its declarations are stored."""
    world.declare("red")
    world.decide(placed(2, "green"), placed(3, "blue"))
    store(night, ("N1", 1))
    select(night, ("D1", 1, "red"), ("D2", 1, "green"), ("D2", 2, "blue"), ("D3", 1, "blue"), ("N1", 1, "blue"))
    assert world.desk.cases.follow_night(night, world.log) == 1
    assert names(world) == {"D1", "N1"}
    world.desk.cases.follow(world.log)
    assert names(world) == {"D1", "D3", "N1"}


def test_a_decision_about_what_the_night_selected_before_changes_nothing_and_an_amendment_raises_it(world, night):
    store(night, ("D1", 1), ("D1", 2))
    select(night, ("D1", 1, "blue"), ("D1", 2, "green"))
    world.desk.cases.follow_night(night, world.log)
    world.decide(placed(1, "blue"))
    assert world.desk.cases.follow(world.log) == 0
    (case,) = world.every()
    assert [event.action for event in world.desk.looking.open(SUE, case.number).history[:-1]] == ["opened"]
    world.decide(placed(2, "red", declaration_id="D1", version=2))
    world.desk.cases.follow(world.log)
    (case,) = world.every()
    assert (case.lane, case.version, case.decision_id) == ("red", 2, "20240502-0000000000000002")


def test_a_declaration_with_a_case_gets_no_second_one(world, night):
    store(night, ("N1", 1), ("N1", 2))
    select(night, ("N1", 1, "red"))
    world.desk.cases.follow_night(night, world.log)
    world.close(ANA, 1)
    select(night, ("N1", 2, "red"))
    assert world.desk.cases.follow_night(night, world.log) == 0


def test_what_was_selected_longer_ago_than_the_longest_time_limit_opens_no_case(world, night):
    """Blue has 100 hours here: a desk that is new begins with what is still to be done."""
    for number, hours in enumerate((30_000, 100, 99, 0)):
        store(night, (f"N{number}", 1))
        select(night, (f"N{number}", 1, "yellow"), at=NOON - timedelta(hours=hours))
    assert world.desk.cases.follow_night(night, world.log) == 2
    assert names(world) == {"N2", "N3"}


def test_a_selection_in_the_future_by_the_desks_clock_waits_for_its_time(world, night):
    for name, hours in (("N1", 0), ("N2", 1), ("N3", 0)):
        store(night, (name, 1))
        select(night, (name, 1, "red"), at=NOON + timedelta(hours=hours))
    assert world.desk.cases.follow_night(night, world.log) == 1
    world.clock.wait(hours=1)
    assert world.desk.cases.follow_night(night, world.log) == 2


def test_a_run_that_was_in_part_selected_in_the_future_waits_as_a_whole(world, night, tmp_path):
    other = desks.night(tmp_path / "other")
    for name, hours in (("N1", 0), ("N2", 1)):
        store(night, (name, 1))
        select(other, (name, 1, "red"), at=NOON + timedelta(hours=hours))
    night.selections.append(other.selections.read())
    assert world.desk.cases.follow_night(night, world.log) == 0
    world.clock.wait(hours=1)
    assert world.desk.cases.follow_night(night, world.log) == 2


def test_a_selected_item_that_is_not_stored_is_named_and_waits(world, night):
    store(night, ("N1", 1))
    select(night, ("N1", 1, "red"), ("N2", 3, "red"))
    with pytest.raises(ValueError, match="declaration N2 item 3 was selected and is not in"):
        world.desk.cases.follow_night(night, world.log)
    assert world.every() == []
    store(night, ("N2", 3))
    assert world.desk.cases.follow_night(night, world.log) == 2


def test_what_was_declared_is_read_from_its_day(world, night):
    store(night, ("N1", 2), ("N1", 1), ("N2", 1), importer_id="I7")
    day = NOON.date()
    assert [(row["item_number"], row["importer_id"]) for row in night.declared("N1", day)] == [(1, "I7"), (2, "I7")]
    assert night.declared("N1", day + timedelta(days=1)) == []

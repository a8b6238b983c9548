"""Read from what a desk has written, since the table is described twice."""

from datetime import UTC

import pytest

from models.notices import Overdue
from models.policy import load
from tests.support import desks
from tests.support.noticed import PAGES


@pytest.fixture
def world(tmp_path):
    return desks.world(tmp_path, load().desk)


@pytest.fixture
def overdue(tmp_path, world):
    return Overdue(f"sqlite:///{tmp_path / 'decisions.db'}", world.clock)


def look(overdue):
    return overdue.look(PAGES, None, desks.NOON).events


def test_supervisors_of_the_office_learn_of_what_is_open_and_late(world, overdue):
    red, yellow = world.declare("red", "yellow")
    assert look(overdue) == []
    world.clock.wait(days=60)
    world.declare("red", office="020", received_at=world.clock())
    world.close(desks.ANA, yellow)
    (late,) = look(overdue)
    due = next(case.due_at for case in world.every() if case.number == red)
    assert (late.role, late.office, late.link) == ("supervisor", "010", f"https://own.example/desk/cases/{red}")
    said = f"{due.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    assert late.facts == {"case": str(red), "office": "010", "lane": "red", "due": said}
    assert late.key == f"overdue/{red}/{due.astimezone(UTC).isoformat()}"


def test_before_there_is_a_desk_nothing_is_late(tmp_path):
    assert look(Overdue(f"sqlite:///{tmp_path / 'other.db'}", lambda: desks.NOON)) == []

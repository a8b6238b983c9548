"""What waits in the whole installation."""

from models.desk.standing import Standing, standing
from tests.support.desks import ANA


def test_open_and_late_cases_are_counted_by_lane_whatever_their_office(world):
    _, first, _ = world.declare("red", "yellow", "yellow")
    world.declare("yellow", office="020")
    tables = world.desk.shared.tables
    opened = {case.number: case.opened_at for case in world.every()}
    world.clock.wait(minutes=61)  # past the limit of yellow ones, by the tests' rules
    red, yellow = standing(tables, world.clock())
    assert red == Standing("red", 1, 0, opened[first - 1])
    assert (yellow.open, yellow.late, yellow.oldest_at) == (3, 3, opened[first])
    world.desk.queue.take(ANA, first)
    world.desk.endings.override(ANA, first, "seen before, at the same berth")
    _, yellow = standing(tables, world.clock())
    assert (yellow.open, yellow.oldest_at) == (2, opened[first + 1])

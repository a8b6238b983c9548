"""What was done and found in the cases of a declaration is told to who answers for it, and telling leaves no mark."""

from datetime import UTC, timedelta

from models.desk import exports, histories
from tests.support import desks
from tests.support.desks import ANA, BEN


def test_what_was_done_and_found_is_told_in_order_and_nothing_is_written_down(world, tmp_path):
    first, second = world.declare("red", "yellow")
    world.desk.queue.take(ANA, first)
    world.clock.wait(minutes=5)
    world.desk.findings.add(ANA, world.finding(first, kind="origin", item_number=1, revenue=20.0))
    world.close(BEN, second)
    desk = exports.opened(f"sqlite:///{tmp_path / 'decisions.db'}")
    (found,) = histories(desk, "D1")
    assert (found.case, found.look) == (first, 1)
    assert [(each.actor, each.action) for each in found.events] == [
        ("desk", "opened"),
        ("ana", "took"),
        ("ana", "found"),
    ]
    assert found.events[-1].at == (desks.NOON + timedelta(minutes=5)).astimezone(UTC)
    assert [(each.officer, each.finding.kind, each.finding.revenue) for each in found.findings] == [
        ("ana", "origin", 20)
    ]
    assert histories(desk, "D1") == [found]
    assert [each.officer for each in histories(desk, "D2")[0].findings] == ["ben"]
    assert histories(desk, "D9") == []
    desk.close()

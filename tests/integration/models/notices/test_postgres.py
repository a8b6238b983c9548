"""The outbox on PostgreSQL: the same statements, on another database."""

from contextlib import closing

from models.notices import Outbox, Overdue
from models.notices.outbox import SETTLE
from tests.support import desks
from tests.support.noticed import PAGES, at, event
from tests.support.postgres import postgres, postgres_uri  # noqa: F401  fixtures

HERE = ("ops", "json")


def test_what_is_put_in_is_due_once(postgres_uri, tmp_path):  # noqa: F811
    with closing(Outbox(postgres_uri)) as outbox:
        assert outbox.waiting({HERE}) == (0, None)
        outbox.migrate()
        assert outbox.put([(event(), HERE)], "runs", "7", at()) == 1
        assert outbox.put([(event(), HERE)], "runs", "8", at()) == 0
        (batch,) = outbox.due({HERE}, at() + SETTLE)
        assert outbox.waiting({HERE}) == (1, at())
        outbox.mark_sent(batch, at(30))
        assert (outbox.due({HERE}, at(3600)), outbox.cursor("runs")) == ([], "8")
        assert [each.sent_at for each in outbox.latest(5)] == [at(30)]

    world = desks.world(tmp_path, uri=postgres_uri)
    overdue = Overdue(postgres_uri, world.clock)
    (number,) = world.declare("red")
    world.clock.wait(days=60)
    (late,) = overdue.look(PAGES, None, at()).events
    assert late.facts["case"] == str(number)

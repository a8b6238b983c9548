"""Purges on PostgreSQL: each locks its table first, as others may be writing."""

from contextlib import closing
from datetime import timedelta

import pytest

from models.decisions import Document
from models.decisions.record import linked
from models.desk import Refused
from tests.support import desks
from tests.support.postgres import postgres, postgres_uri  # noqa: F401  fixtures
from tests.unit.models.desk.test_photos import picture

DAY = desks.NOON.date()


def test_messages_and_photos_go_and_what_came_again_stays(postgres_uri, tmp_path):  # noqa: F811
    world = desks.world(tmp_path, uri=postgres_uri)
    (number,) = world.declare("red")
    world.desk.queue.take(desks.ANA, number)
    sent = world.desk.photos.keep(desks.ANA, number, picture())
    (kept,) = world.desk.photos.before(DAY + timedelta(days=1))
    world.desk.photos.purge({kept: DAY - timedelta(days=1)}, "purged by a rule")  # it was taken in after the plan
    assert world.desk.photos.read(desks.ANA, number, sent)
    world.desk.photos.purge({kept: DAY}, "purged by a rule")
    with pytest.raises(Refused, match="purged by a rule"):
        world.desk.photos.read(desks.ANA, number, sent)

    with closing(world.log) as log:
        head = log.head()
        (link,) = linked([desks.placed(2, message="a" * 64)], head.number, head.hash)
        log.append([link], {"a" * 64: Document("application/json", b"{}")})
        log.purge(["a" * 64], head.number)  # a decision after the plan names it
        assert log.document("a" * 64)
        log.purge(["a" * 64], log.head().number)
        assert log.document("a" * 64) is None
        assert log.verify() == log.head()
    world.desk.close()

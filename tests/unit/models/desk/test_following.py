"""The logs are followed beside requests, and nothing that fails ends that."""

import logging
import threading

import pytest

from models.database import Unavailable
from models.desk import Following
from tests.support import desks
from tests.support.desks import placed, select, store


@pytest.fixture
def night(tmp_path):
    return desks.night(tmp_path)


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_look_follows_both_logs_to_their_ends(world, night):
    world.decide(*(placed(number, "red") for number in range(1, 121)))
    store(night, ("N1", 1))
    select(night, ("N1", 1, "blue"))
    Following(world.desk, world.log, night, lambda: None).look()
    assert len(world.every()) == 121


def test_where_no_window_is_open_only_decisions_are_followed(world):
    world.decide(placed(1, "red"))
    Following(world.desk, world.log, None, lambda: None).look()
    assert len(world.every()) == 1


def test_a_database_that_is_away_is_warned_of_once_and_followed_when_it_is_back(world, caplog):
    world.decide(placed(1, "red"))
    away = [Unavailable("it is away")] * 3

    def prepare():
        if away:
            raise away.pop()

    following = Following(world.desk, world.log, None, prepare)
    for _ in range(3):
        following.look()
    assert warnings(caplog) == ["The desk does not follow decisions, and tries again: it is away"]
    assert world.every() == []
    following.look()
    assert len(world.every()) == 1
    assert warnings(caplog)[1:] == ["The desk follows decisions again"]


def test_a_night_that_cannot_be_followed_keeps_no_decision_waiting(world, night, caplog):
    select(night, ("N1", 1, "red"))
    world.decide(placed(1, "red"))
    following = Following(world.desk, world.log, night, lambda: None)
    following.look()
    following.look()
    assert [case.declaration_id for case in world.every()] == ["D1"]
    (said,) = warnings(caplog)
    assert "the night's selections" in said
    assert "declaration N1 item 1 was selected and is not in" in said


def test_the_thread_looks_again_and_again_and_ends_with_the_block(world):
    looks, enough = [], threading.Event()

    def prepare():
        looks.append(1)
        if len(looks) == 3:
            enough.set()
        raise Unavailable("it is away")

    with Following(world.desk, world.log, None, prepare, every_s=0.001):
        assert enough.wait(30)
    assert "desk" not in {thread.name for thread in threading.enumerate()}

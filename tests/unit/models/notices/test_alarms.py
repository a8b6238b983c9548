import logging
from datetime import timedelta

import pytest

from models.notices import Alarms
from models.notices.alarms import MOST
from tests.support.noticed import PAGES, at


@pytest.fixture
def alarms(tmp_path):
    clock = [at()]
    made = Alarms(tmp_path / "alarms.json", lambda: clock[0])
    made.clock = clock
    return made


def look(alarms, cursor):
    found = alarms.look(PAGES, cursor, alarms.clock[0])
    return [event.facts["why"] for event in found.events], found.cursor


def test_what_is_raised_after_the_last_look_is_found_and_logged(alarms, caplog):
    alarms("before anybody looked")
    told, cursor = look(alarms, None)
    assert told == []
    alarms.clock[0] += timedelta(seconds=1)
    with caplog.at_level(logging.ERROR):
        alarms("the <ledger> is broken")
    assert "ALARM: the <ledger> is broken" in caplog.text
    told, later = look(alarms, cursor)
    assert told == ["the (ledger) is broken"]
    assert look(alarms, later) == ([], later)


def test_a_reason_that_lasts_is_one_event_an_hour(alarms):
    _, cursor = look(alarms, None)
    keys = []
    for _ in range(6):
        alarms.clock[0] += timedelta(minutes=30)
        alarms("away")
        found = alarms.look(PAGES, cursor, alarms.clock[0])
        keys += [event.key for event in found.events]
    assert (len(keys), len(set(keys))) == (6, 4)  # 6:30 to 9:00


def test_another_process_reads_it_and_the_latest_are_kept(alarms):
    _, cursor = look(alarms, None)
    for number in range(MOST + 5):
        alarms.clock[0] += timedelta(seconds=1)
        alarms(f"reason {number}")
    found = Alarms(alarms.file).look(PAGES, cursor, alarms.clock[0])
    assert [event.facts["why"] for event in found.events] == [f"reason {number}" for number in range(5, MOST + 5)]


def test_it_never_fails(alarms, tmp_path):
    alarms.file.write_text("no JSON")
    alarms("x")
    assert look(alarms, at(-1).isoformat(timespec="microseconds"))[0] == ["x"]
    away = Alarms(tmp_path / "none" / "alarms.json")
    away("x")
    assert away.look(PAGES, "2024", at()).events == []

"""What comes on played days: declarations that the window takes, a few of them amended, and the truth of each item."""

import json
from datetime import date, datetime

import pytest

from features import messages
from features.contract import KEY
from features.simulator import Parameters
from flows.play import coming

WORLD = Parameters(rows=20_000, months=3)
FIRST = date(2023, 4, 1)


@pytest.fixture(scope="module")
def played():
    return coming.coming(WORLD, FIRST, 4)


def test_every_message_is_one_that_the_window_takes(played):
    due, truth = played
    for day in (FIRST, date(2023, 4, 3)):
        of_day = [each for each in due if each.at.date() == day and each.version == 1]
        read = messages.read(json.dumps([each.message for each in of_day]).encode(), "application/json", of_day[0].at)
        assert read.refusals == ()
        assert set(read.rows.select(KEY).iter_rows()) <= truth.keys()
        assert read.rows["declaration_id"].n_unique() == len(of_day) > 10


def test_one_in_so_many_is_amended_an_hour_later(played):
    due, _ = played
    assert due == sorted(due, key=lambda each: each.at)
    first = {each.declaration_id: each for each in due if each.version == 1}
    amended = [each for each in due if each.version == 2]
    assert len(first) / coming.AMENDED_EACH * 0.7 < len(amended) <= len(first) / coming.AMENDED_EACH
    for each in amended:
        before = first[each.declaration_id]
        assert (each.at - before.at).total_seconds() == 3600
        assert each.at.date() == before.at.date()
        changed, same = each.message["items"][0], before.message["items"][0]
        assert changed["item_value"] == pytest.approx(same["item_value"] * 1.2, abs=0.01)
        assert {**changed, "item_value": 0} == {**same, "item_value": 0}


def test_days_that_were_played_before_come_no_more(played):
    later, _ = coming.coming(WORLD, date(2023, 4, 3), 2)
    assert later[0].at >= datetime(2023, 4, 3)
    known = {each.declaration_id for each in played[0] if each.at.date() >= date(2023, 4, 3)}
    assert {each.declaration_id for each in later} == known


def test_a_day_of_the_world_itself_is_refused():
    with pytest.raises(ValueError, match=r"2023-03-31 is a day of the simulated world; allowed: 2023-04-01 or later"):
        coming.coming(WORLD, date(2023, 3, 31), 1)

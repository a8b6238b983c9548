"""The clock of window and desk: the machine's, or one that a file sets."""

import os
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.clock import clock, set_to

SEOUL = ZoneInfo("Asia/Seoul")


def test_it_is_the_machines_where_no_file_is_named():
    now = clock("Asia/Seoul")()
    assert now.tzinfo == SEOUL
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["2024-07-01T06:00:00", "2024-06-30T21:00:00+00:00", "2024-07-01T06:00:00+09:00\n"])
def test_a_file_sets_it_and_time_goes_on_from_there(tmp_path, text):
    file = tmp_path / "clock"
    file.write_text(text)
    now = clock("Asia/Seoul", file)
    os.utime(file, (time.time() - 3600,) * 2)
    passed = now() - datetime(2024, 7, 1, 7, tzinfo=SEOUL)
    assert timedelta(0) <= passed < timedelta(seconds=5)
    set_to(file, datetime(2024, 7, 3, tzinfo=SEOUL))
    assert now().date().isoformat() == "2024-07-03"


def test_an_hour_that_legal_time_leaves_out_passes_all_the_same(tmp_path):
    file = tmp_path / "clock"
    file.write_text("2024-03-31T01:30:00")
    now = clock("Europe/Berlin", file)
    os.utime(file, (time.time() - 3600,) * 2)
    assert now().replace(second=0, microsecond=0) == datetime(2024, 3, 31, 3, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize("text", ["", "soon", "06:00"])
def test_a_file_without_an_instant_is_refused(tmp_path, text):
    file = tmp_path / "clock"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"the played clock .*clock cannot be read .* allowed: a file with an instant"):
        clock("UTC", file)
    with pytest.raises(ValueError, match="cannot be read"):
        clock("UTC", tmp_path / "missing")

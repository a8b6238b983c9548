"""The chart's geometry: bars lie within the box, are in proportion, and are grouped where there are too many."""

from datetime import date, timedelta

import pytest

from features.validation.verdicts import DayVolume
from features.validation.volume_chart import HEIGHT, MOST_BARS, WIDTH, chart

MONDAY = date(2024, 1, 1)


def test_one_day():
    drawn = chart([DayVolume(MONDAY, 80, 20, 90.0)])
    bar = drawn.bars[0]
    assert (bar.y, bar.height, bar.stored_y, bar.stored_height) == (0, HEIGHT * 0.8, HEIGHT * 0.8, HEIGHT * 0.2)
    assert bar.usual_y == pytest.approx(HEIGHT * 0.1)
    assert bar.label == "Monday 2024-01-01: 80 new rows, 20 stored before, usual 90"
    assert [tick.text for tick in drawn.grid] == ["0", "50", "100"]
    assert (drawn.has_stored, drawn.has_usual, drawn.states) == (True, True, {"usual"})


def test_a_day_without_rows_leaves_a_gap():
    drawn = chart([DayVolume(MONDAY, 5, 0), DayVolume(MONDAY + timedelta(days=2), 5, 0)])
    assert drawn.bars[1].x - drawn.bars[0].x == pytest.approx(WIDTH / 3 * 2, abs=0.01)


@pytest.mark.parametrize("count", [1, 7, 366, 3000])
def test_bars_stay_in_the_box(count):
    days = [DayVolume(MONDAY + timedelta(days=number), number, 3, 1e4) for number in range(count)]
    drawn = chart(days)
    assert len(drawn.bars) <= MOST_BARS
    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH for bar in drawn.bars)
    assert all(0 <= bar.y <= HEIGHT and bar.height >= 0 for bar in drawn.bars)
    assert len(drawn.dates) <= 10
    assert drawn.days_a_bar == -(-count // MOST_BARS)


def test_grouped_days_add_up_and_keep_their_state():
    days = [DayVolume(MONDAY + timedelta(days=number), 1, 0, 30.0, 5.0, 180.0) for number in range(MOST_BARS * 2)]
    drawn = chart(days)
    assert drawn.bars[0].label == "2024-01-01 to 2024-01-02: 2 new rows"
    assert drawn.states == {"quiet"}
    assert not drawn.has_usual


def test_no_rows_at_all():
    assert chart([DayVolume(MONDAY, 0, 0)]).bars[0].height == 0

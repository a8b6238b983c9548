"""How many are expected: by weekday, by what has come so far, and where there is little or no past."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from models.live.forecast import Forecast, forecast
from tests.support.live_offices import DAY, NOTHING, past


def rows(counts, office="010", hour=10):
    """So many declarations of an office so many days ago."""
    at = [
        datetime.combine(DAY - timedelta(days=ago), datetime.min.time()) + timedelta(hours=hour)
        for ago, count in counts.items()
        for _ in range(count)
    ]
    return pl.DataFrame({"office": [office] * len(at), "accepted_at": pl.Series(at, dtype=pl.Datetime("us"))})


def test_a_weekday_is_as_busy_as_its_like_with_one_usual_day_among_them():
    counts = dict.fromkeys(range(1, 29), 10) | {7: 2, 14: 4, 21: 0, 28: 6}
    found = forecast(rows(counts), "010", DAY)
    usual = (24 * 10 + 12) / 28
    assert found.usual == pytest.approx(usual)
    assert found.today == pytest.approx((2 + 4 + 0 + 6 + usual) / 5)


def test_an_office_a_few_days_old_goes_by_the_days_it_has():
    found = forecast(rows({1: 8, 2: 4, 3: 6}), "010", DAY)
    assert (found.today, found.usual) == (6, 6)


def test_an_office_that_opens_is_taken_for_an_average_one():
    both = pl.concat([rows(dict.fromkeys(range(1, 29), 10), "020"), rows(dict.fromkeys(range(1, 29), 30), "030")])
    assert forecast(both, "010", DAY).today == pytest.approx(20)


def test_where_nothing_ever_came_nothing_is_expected():
    found = forecast(NOTHING, "010", DAY)
    assert (found.today, found.usual, found.coming(0, 0), found.coming(50_000, 70)) == (0, 0, 0, 0)
    assert len(found.arrived) == 97


def test_the_hours_of_the_past_say_what_is_left():
    day = pl.concat([rows({1: 3, 2: 3}, hour=9), rows({1: 1, 2: 1}, hour=15)])
    found = forecast(day, "010", DAY)
    as_expected = [
        found.coming(hour * 3600, round(found.today * share)) for hour, share in ((8, 0), (12, 0.75), (16, 1))
    ]
    assert as_expected == pytest.approx([4, 1, 0])
    assert found.coming(9 * 3600 + 450, 1) < found.coming(9 * 3600, 1)


def test_a_fast_day_is_expected_to_go_on_fast_but_not_by_any_factor():
    even = Forecast(100.0, 100.0, tuple(quarter / 96 for quarter in range(97)))
    noon = 12 * 3600
    assert even.coming(noon, 50) == pytest.approx(50)
    assert even.coming(noon, 100) == pytest.approx(50 * 120 / 70)
    assert even.coming(noon, 5000) == pytest.approx(200)
    assert even.coming(noon, 0) == pytest.approx(50 * 20 / 70)
    busy = Forecast(1000.0, 1000.0, even.arrived)
    assert busy.coming(noon, 0) == pytest.approx(500 / 4)
    assert even.coming(86_399, 0) == pytest.approx(0, abs=0.01)


def test_an_arrival_counts_in_its_quarter_of_an_hour():
    half_past_nine = datetime.combine(DAY - timedelta(days=1), datetime.min.time()) + timedelta(hours=9.5)
    at = [half_past_nine + timedelta(seconds=seconds) for seconds in (-1, 1)]
    found = forecast(pl.DataFrame({"office": ["010"] * 2, "accepted_at": at}), "010", DAY)
    assert found.arrived == (*[0.0] * 38, 0.5, *[1.0] * 58)  # the 39th quarter begins then


def test_shares_of_the_day_run_from_nothing_to_all():
    arrived = forecast(past(), "010", DAY).arrived
    assert (arrived[0], arrived[32], arrived[96]) == (0, 0, 1)
    assert sorted(arrived) == list(arrived)

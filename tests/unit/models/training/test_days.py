"""Windows rest on where the data are: a day far from all others decides nothing, and a feed that came back counts."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.days import of_data
from models.training.splits import split_by_time, split_validation, window
from tests.support.datasets import TRAINING, dataset
from tests.support.examples import examples

FIRST, LAST = date(2024, 1, 1), date(2024, 4, 9)


def accepted(*days: date) -> pl.DataFrame:
    return pl.DataFrame({"accepted_at": pl.Series(days, dtype=pl.Date).cast(pl.Datetime("us"))})


def every_day(first: date, count: int, rows: int = 10) -> list[date]:
    return [first + timedelta(days=day) for day in range(count) for _ in range(rows)]


def moved(rows: pl.DataFrame, *days: date) -> pl.DataFrame:
    """`rows`, and copies of its first ones under other ids, accepted on `days`."""
    strays = rows.head(len(days)).with_columns(
        declaration_id=pl.lit("S") + pl.col("declaration_id"),
        accepted_at=pl.Series(days, dtype=pl.Date).cast(pl.Datetime("us")),
        known_on=pl.Series(days, dtype=pl.Date),
    )
    return pl.concat([rows, strays])


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.dates(date(1950, 1, 1), date(2099, 1, 1)), min_size=1, max_size=12))
def test_single_days_apart_from_the_data_move_no_part(days):
    apart = [day for day in days if not FIRST - timedelta(days=14) <= day <= LAST + timedelta(days=14)]
    rows = dataset()
    clean, found = split_by_time(rows, TRAINING, 7), split_by_time(moved(rows, *apart), TRAINING, 7)
    assert found.windows == clean.windows
    assert found.test.equals(clean.test)
    assert found.train.equals(clean.train)
    assert found.stray == len(apart)
    validation = split_validation(moved(rows, *apart), TRAINING, 7)[1]
    assert validation.equals(split_validation(rows, TRAINING, 7)[1])


def test_without_stray_days_nothing_is_left_out():
    rows = dataset()
    assert of_data(rows) == window(rows) == (FIRST, LAST)
    assert split_by_time(rows, TRAINING, 7).stray == 0


def test_a_feed_that_came_back_counts_from_its_second_day():
    before = every_day(FIRST, 100)
    back = date(2024, 6, 1)
    assert of_data(accepted(*before, *every_day(back, 1)))[1] == date(2024, 4, 9)
    assert of_data(accepted(*before, *every_day(back, 2)))[1] == date(2024, 6, 2)


def test_a_holiday_of_two_weeks_parts_nothing():
    rows = accepted(*every_day(FIRST, 100), LAST + timedelta(days=14))
    assert of_data(rows)[1] == LAST + timedelta(days=14)


def test_where_rows_are_rare_throughout_none_is_stray():
    months = [date(2024, month, 1) for month in range(1, 13)]
    assert of_data(accepted(*months)) == (months[0], months[-1])


def test_a_lazy_dataset_is_read_as_well():
    assert of_data(accepted(*every_day(FIRST, 3), date(2062, 3, 25)).lazy()) == (FIRST, date(2024, 1, 3))


def test_no_row_is_an_error():
    with pytest.raises(ValueError, match="no rows, so no days"):
        of_data(accepted())

from datetime import date, timedelta

import polars as pl
import pytest

from models.training.splits import labelled, split_by_time, split_validation
from tests.support.datasets import TRAINING, dataset


def test_parts_follow_each_other_with_the_label_delay_between():
    split = split_by_time(dataset(), TRAINING, 7)
    train, validation, test = (split.windows[part] for part in ("train", "validation", "test"))
    assert test == (date(2024, 3, 21), date(2024, 4, 9))  # the last 20 of 100 days
    assert validation[1] == test[0] - timedelta(days=8)  # seven days lie between
    assert train[1] == validation[0] - timedelta(days=8)
    assert train[0] == date(2024, 1, 1)


def test_a_label_not_known_at_the_next_part_s_start_is_not_used():
    rows = dataset().with_columns(
        known_on=pl.when(pl.col("office") == "20").then(date(2024, 3, 21)).otherwise("known_on")
    )
    split = split_by_time(rows, TRAINING, 7)
    assert "20" not in split.before_test["office"]
    assert "20" in split.test["office"]
    for earlier, later in ((split.train, "validation"), (split.validation, "test"), (split.before_test, "test")):
        assert earlier["known_on"].max() < split.windows[later][0]


def test_rows_without_a_label_are_in_no_part():
    rows = dataset().with_columns(is_illicit=pl.when(pl.col("office") != "20").then("is_illicit"))
    split = split_by_time(rows, TRAINING, 7)
    assert all("20" not in part["office"] for part in (split.train, split.validation, split.test, split.before_test))


def test_the_final_rows_include_the_gap_but_nothing_later():
    split = split_by_time(dataset(), TRAINING, 7)
    gap = split.before_test.join(
        pl.concat([split.train, split.validation]), on=["declaration_id", "item_number"], how="anti"
    )
    assert not gap.is_empty()
    assert split.before_test["known_on"].max() < split.windows["test"][0]


def test_order_of_rows_plays_no_part():
    rows = dataset()
    assert split_by_time(rows, TRAINING, 7).train.equals(split_by_time(rows.reverse(), TRAINING, 7).train)


def test_without_a_test_part_the_latest_days_validate():
    train, validation = split_validation(dataset(), TRAINING, 7)
    assert validation["accepted_at"].max() == dataset()["accepted_at"].max()
    assert train["known_on"].max() < validation["accepted_at"].min().date()


def test_no_labels_is_an_error():
    with pytest.raises(ValueError, match="none of 1500 rows has a label"):
        labelled(dataset().with_columns(is_illicit=pl.lit(None, pl.Boolean)))


def test_a_delay_longer_than_the_history_is_an_error():
    with pytest.raises(ValueError, match="no label was known before 2024-03-21"):
        split_by_time(dataset(), TRAINING, 200)

"""The officers' work list: what was selected and nothing else, with reasons; on a day without any, no rows."""

from datetime import date

import polars as pl
import pytest

from models.train import train
from models.work_list import work_list
from tests.datasets import FEATURES, TARGETING, TRAINING, dataset


@pytest.fixture(scope="module")
def model():
    return train(dataset(), dataset(400, seed=2), FEATURES, TRAINING, TARGETING)


def chosen(model, rows, lanes):
    predicted = model.predict(rows)
    return predicted.with_columns(
        rows["office"], accepted_on=date(2024, 5, 2), lane=pl.Series(lanes), reason=pl.lit("value")
    )


def test_only_what_is_inspected_is_listed_red_first(model):
    rows = dataset(4, seed=3, days=1).with_columns(office=pl.lit("10"))
    listed = work_list(model, rows, chosen(model, rows, ["blue", "green", "red", "yellow"]), "en")
    assert listed["lane"].to_list() == ["red", "yellow", "blue"]
    assert listed["declaration_id"].to_list() == rows["declaration_id"].gather([2, 3, 0]).to_list()
    assert listed["why_1"].null_count() == 0


def test_a_day_on_which_nothing_is_inspected_has_a_list_without_rows(model):
    rows = dataset(3, seed=3, days=1)
    listed = work_list(model, rows, chosen(model, rows, ["green"] * 3), "en")
    assert listed.height == 0
    assert listed.columns[-3:] == ["why_1", "why_2", "why_3"]

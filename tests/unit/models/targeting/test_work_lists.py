"""The officers' work list: it has what was selected and nothing else, with reasons, and no rows on an empty day."""

import re
from datetime import date

import polars as pl
import pytest

from features.presentation import spreadsheet
from models.policy import LANES
from models.reasons import reasons
from models.reasons.language import LANGUAGES, read
from models.targeting.selection_log import SCHEMA
from models.targeting.work_lists import given, work_list
from models.training.fitting import train
from tests.support.datasets import FEATURES, TARGETING, TRAINING, dataset
from tests.support.described import catalogued


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


def test_an_office_finds_its_days_in_order_and_of_a_lane_the_weightiest_first(model):
    rows = dataset(9, seed=3, days=1).with_columns(office=pl.Series([*["20"] * 2, *["10"] * 7]))
    days = [date(2024, 5, day) for day in (2, 2, 3, 2, 2, 2, 2, 2, 2)]
    lanes = ["red", "red", "red", "blue", "yellow", "red", "red", "red", "yellow"]
    priority = [5.0, 900.0, 1000.0, 800.0, 1.0, 20.0, 1e15, 3.0, 70.0]
    picked = chosen(model, rows, lanes).with_columns(accepted_on=pl.Series(days), priority=pl.Series(priority))
    listed = work_list(model, rows, picked, "en")
    assert listed["declaration_id"].to_list() == rows["declaration_id"].gather([6, 5, 7, 8, 4, 3, 2, 1, 0]).to_list()


def test_what_the_model_said_is_shown_in_few_digits(model):
    rows = dataset(2, seed=3, days=1)
    said = {"score": [0.123456, 0.5], "expected_revenue": [1234.5678, 10.0], "priority": [2.0, 1.0]}
    picked = chosen(model, rows, ["red", "red"]).with_columns(pl.Series(name, of) for name, of in said.items())
    listed = work_list(model, rows, picked.with_columns(office=pl.lit("10")), "en")
    assert listed["score"].to_list() == [0.1235, 0.5]
    assert listed["expected_revenue"].to_list() == [1234.57, 10.0]
    assert listed["accepted_on"].to_list() == [date(2024, 5, 2)] * 2


def test_facts_are_those_of_their_row_the_weightiest_first(model):
    rows = dataset(12, seed=3, days=1)
    lanes = ["red", "green"] * 6
    listed = work_list(model, rows, chosen(model, rows, lanes), "en")
    told = reasons(model, rows, "en", 3).sort("declaration_id", "rank")
    words = {"raises": "raises: {}", "lowers": "lowers: {}"}
    for row in listed.iter_rows(named=True):
        facts = told.filter(pl.col("declaration_id") == row["declaration_id"]).head(3)
        expected = [words[direction].format(text) for direction, text in facts.select("direction", "sentence").rows()]
        assert [row[f"why_{n}"] for n in (1, 2, 3)] == [*expected, None, None, None][:3]


def test_a_model_that_knows_little_gives_fewer_facts():
    little = train(dataset(), dataset(400, seed=2), catalogued("office"), TRAINING, TARGETING)
    rows = dataset(3, seed=3, days=1)
    listed = work_list(little, rows, chosen(little, rows, ["red"] * 3), "en")
    assert listed.select("why_1", "why_2", "why_3").null_count().row(0) == (0, 3, 3)


def test_a_day_on_which_nothing_is_inspected_has_a_list_without_rows(model):
    rows = dataset(3, seed=3, days=1)
    listed = work_list(model, rows, chosen(model, rows, ["green"] * 3), "en")
    assert listed.height == 0
    assert listed.columns[-3:] == ["why_1", "why_2", "why_3"]


def test_each_fact_says_which_way_it_moved_the_score(model):
    rows = dataset(30, seed=3, days=1)
    listed = work_list(model, rows, chosen(model, rows, ["red"] * 30), "en")
    told = reasons(model, rows, "en", 3).filter(pl.col("rank") == 1)
    directions = dict(zip(told["declaration_id"], zip(told["direction"], told["sentence"], strict=True), strict=True))
    assert set(told["direction"]) == {"raises", "lowers"}
    for declaration, why in listed.select("declaration_id", "why_1").iter_rows():
        assert why == "{}: {}".format(*directions[declaration])


@pytest.mark.parametrize(
    ("language", "columns", "lane", "reason", "why"),
    [
        ("en", ["office", "accepted_on", "lane"], "yellow", "random", r"(raises|lowers): [A-Z]"),
        (
            "fr",
            ["bureau", "accepté le", "circuit"],
            "jaune",
            "tirage au sort",
            r"(augmente|diminue) le score\u202f: [A-Z]",
        ),
        ("zh", ["申报地海关", "接受申报日期", "通道"], "黄色", "随机抽取", r"评分(升高|降低)"),
    ],
)
def test_every_word_is_of_the_language(model, language, columns, lane, reason, why):
    rows = dataset(2, seed=3, days=1)
    picked = chosen(model, rows, ["yellow", "green"]).with_columns(reason=pl.Series(["random", "none"]))
    listed = work_list(model, rows, picked, language)
    assert listed.columns[:3] == columns
    assert (listed.row(0)[2], listed.row(0)[5]) == (lane, reason)
    assert re.match(why, listed.row(0)[-3])
    assert len(set(listed.columns)) == 11


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_lane_and_reason_has_a_word_of_its_own(language):
    words = read(language).work_list
    assert set(words.lanes) == set(LANES)
    assert set(words.reasons) == set(SCHEMA["reason"].categories) - {"none"}
    assert len(set(words.lanes.values())) == len(LANES)
    assert len(set(words.reasons.values())) == len(words.reasons)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_facts_that_were_given_are_read_from_the_list_in_its_language(model, tmp_path, language):
    rows = dataset(4, seed=3, days=1).with_columns(declaration_id=pl.Series(["D1", "D1", "D2", "D1"]))
    rows = rows.with_columns(item_number=pl.Series([1, 2, 1, 3], dtype=pl.Int32))
    listed = work_list(model, rows, chosen(model, rows, ["red", "blue", "red", "green"]), language)
    spreadsheet.write(tmp_path / "000001.csv", listed)
    found, facts = given(tmp_path / "000001.csv", "D1")
    words = read(language).work_list
    assert (found, sorted(facts)) == (language, [1, 2])
    for row in listed.filter(pl.col(words.columns["declaration_id"]) == "D1").iter_rows(named=True):
        shown = [row[words.why.format(n=n)] for n in (1, 2, 3)]
        assert facts[row[words.columns["item_number"]]] == tuple(fact for fact in shown if fact)
    assert given(tmp_path / "000001.csv", "D9") == (language, {})


def test_another_file_is_no_work_list(tmp_path):
    (tmp_path / "other.csv").write_text("declaration_id,item_number\nD1,1\n")
    with pytest.raises(ValueError, match=r"other\.csv is no work list; allowed: the columns of one in en, fr, zh"):
        given(tmp_path / "other.csv", "D1")
    with pytest.raises(FileNotFoundError):
        given(tmp_path / "none.csv", "D1")

"""Which version of a declaration and of an outcome counts on which day, worked out by hand."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from features.contract import KEY
from features.facts.asof import (
    LONGEST_WAIT_DAYS,
    LOOK_BACK_DAYS,
    NEVER,
    YEAR_DAYS,
    declaration_versions,
    labels,
    outcome_versions,
)

INSTANTS = ("accepted_at", "recorded_at", "known_at")


def on(day: int, hour: int = 9) -> datetime:
    return datetime(2024, 3, day, hour)


def table(*rows: dict, **usual: object) -> pl.LazyFrame:
    """Rows with item 1 and what a test does not say, in the types of the store."""
    columns = list(dict.fromkeys(key for row in (usual, *rows) for key in row if key not in KEY))
    schema = {"declaration_id": pl.String, "item_number": pl.Int32, **dict.fromkeys(columns)} | {
        name: pl.Datetime("us") for name in columns if name in INSTANTS
    }
    every = [{"item_number": 1, **usual, **row} for row in rows]
    return pl.DataFrame(every, schema=schema).lazy()


def declared(*rows: dict) -> pl.LazyFrame:
    return table(*rows, accepted_at=None, recorded_at=None, item_value=0)


def spans(versions: pl.LazyFrame, value: str) -> list[tuple]:
    """Value, day from which and day until which a version was known, in order of both."""
    found = versions.select("declaration_id", value, "known_on", "replaced_on").sort("declaration_id", "known_on")
    return found.collect().rows()


def test_a_version_is_known_until_the_next_is_recorded_and_the_last_for_good():
    current = declared(
        {"declaration_id": "a", "accepted_at": on(1), "recorded_at": on(9), "item_value": 3},
        {"declaration_id": "b", "accepted_at": on(2), "recorded_at": None, "item_value": 7},
    )
    before = declared(
        {"declaration_id": "a", "accepted_at": on(1), "recorded_at": on(4), "item_value": 2},
        {"declaration_id": "a", "accepted_at": on(1), "recorded_at": None, "item_value": 1},
    )
    versions = declaration_versions(current, before)
    assert spans(versions, "item_value") == [
        ("a", 1, date(2024, 3, 1), date(2024, 3, 4)),
        ("a", 2, date(2024, 3, 4), date(2024, 3, 9)),
        ("a", 3, date(2024, 3, 9), NEVER),
        ("b", 7, date(2024, 3, 2), NEVER),
    ]
    assert versions.filter("is_original").collect()["item_value"].sort().to_list() == [1, 7]
    assert set(versions.collect().select("declaration_id", "accepted_on").iter_rows()) == {
        ("a", date(2024, 3, 1)),
        ("b", date(2024, 3, 2)),
    }


def test_of_versions_of_one_day_the_one_that_arrived_last_is_the_only_one():
    current = declared({"declaration_id": "a", "accepted_at": on(1), "recorded_at": on(1, 8), "item_value": 3})
    before = declared(
        {"declaration_id": "a", "accepted_at": on(1), "recorded_at": on(1, 23), "item_value": 1},
        {"declaration_id": "a", "accepted_at": on(1), "recorded_at": None, "item_value": 2},
    )
    versions = declaration_versions(current, before)
    assert spans(versions, "item_value") == [("a", 3, date(2024, 3, 1), NEVER)]
    assert versions.collect()["is_original"].to_list() == [True]


def test_of_replaced_versions_of_one_day_the_last_holds_however_many_there_are():
    names = [f"d{number:03}" for number in range(400)]
    current = declared(
        *({"declaration_id": name, "accepted_at": on(1), "recorded_at": on(9), "item_value": 9} for name in names)
    )
    before = declared(
        *(
            {"declaration_id": name, "accepted_at": on(1), "recorded_at": on(4), "item_value": value}
            for value in (1, 2, 3, 4)
            for name in reversed(names)
        )
    )
    known = spans(declaration_versions(current, before), "item_value")
    assert known[::2] == [(name, 4, date(2024, 3, 4), date(2024, 3, 9)) for name in names]
    assert known[1::2] == [(name, 9, date(2024, 3, 9), NEVER) for name in names]


def test_items_of_one_declaration_are_corrected_each_for_itself():
    current = declared(
        {"declaration_id": "a", "item_number": 1, "accepted_at": on(1), "recorded_at": on(5), "item_value": 2},
        {"declaration_id": "a", "item_number": 2, "accepted_at": on(1), "recorded_at": None, "item_value": 9},
    )
    before = declared({"declaration_id": "a", "accepted_at": on(1), "recorded_at": None, "item_value": 1})
    versions = declaration_versions(current, before).sort("item_number", "known_on").collect()
    assert versions.select("item_number", "item_value", "replaced_on", "is_original").rows() == [
        (1, 1, date(2024, 3, 5), True),
        (1, 2, NEVER, False),
        (2, 9, NEVER, True),
    ]


FOUND = {"is_inspected": True, "is_illicit": True, "is_critical": False, "recovered_revenue": 5.0}


def outcomes(*rows: dict) -> pl.LazyFrame:
    return table(*rows, accepted_at=None, known_at=None, selection_probability=None, **FOUND)


@pytest.mark.parametrize("delay", [0, 7])
def test_an_outcome_without_an_instant_is_known_after_the_label_delay(delay):
    current = outcomes(
        {"declaration_id": "a", "accepted_at": on(1)},
        {"declaration_id": "b", "accepted_at": on(1), "known_at": on(20)},
    )
    versions = outcome_versions(current, current.clear(), delay)
    assert spans(versions, "is_illicit") == [
        ("a", True, date(2024, 3, 1) + timedelta(days=delay), NEVER),
        ("b", True, date(2024, 3, 20), NEVER),
    ]
    assert "is_original" not in versions.collect_schema()


def test_a_label_is_what_was_known_that_evening():
    current = outcomes({"declaration_id": "a", "accepted_at": on(1), "known_at": on(12), "is_illicit": False})
    before = outcomes({"declaration_id": "a", "accepted_at": on(1), "known_at": on(8)})
    versions = outcome_versions(current, before, 7)
    known = {day: labels(versions, date(2024, 3, day)).collect() for day in (7, 8, 11, 12, 13)}
    assert [frame["is_illicit"].to_list() for frame in known.values()] == [[], [True], [True], [False], [False]]
    assert known[13].columns == [
        "declaration_id",
        "item_number",
        "is_inspected",
        "is_illicit",
        "is_critical",
        "recovered_revenue",
        "selection_probability",
        "known_on",
    ]
    assert known[13]["known_on"].to_list() == [date(2024, 3, 12)]


def test_labels_come_in_the_order_of_their_items():
    names = [f"d{number:03}" for number in range(400)]
    current = outcomes(*({"declaration_id": name, "known_at": on(3)} for name in reversed(names)))
    versions = outcome_versions(current, current.clear(), 7)
    assert labels(versions, date(2024, 3, 3)).collect()["declaration_id"].to_list() == names


def test_what_was_not_inspected_or_not_judged_has_no_label():
    current = outcomes(
        {"declaration_id": "a", "known_at": on(3)},
        {"declaration_id": "b", "known_at": on(3), "is_inspected": False},
        {"declaration_id": "c", "known_at": on(3), "is_illicit": None},
    )
    versions = outcome_versions(current, current.clear(), 7)
    assert labels(versions, date(2024, 3, 3)).collect()["declaration_id"].to_list() == ["a"]


def test_an_outcome_may_take_two_years_and_all_that_counts_lies_in_three():
    assert (YEAR_DAYS, LOOK_BACK_DAYS, LONGEST_WAIT_DAYS) == (365, 1095, 730)
    assert date(9999, 1, 1) == NEVER

"""Rules asked about a few rows at once: what is refused, with which value, and which rules have no plain form."""

import polars as pl
import pytest

from features.validation import at_once
from tests.support.declarations import frame


def told(rows: list[dict]) -> list[tuple]:
    found = at_once.refused("declarations", frame("declarations", rows))
    return [(each.row, each.column, each.value, each.allowed) for each in found]


def test_a_row_that_is_right_is_not_refused():
    assert told([{}]) == []


def test_each_row_is_told_apart_with_its_value_and_what_is_allowed():
    assert told([{}, {"net_mass_kg": -0.5}, {"currency": "EURO", "hs_code": "77112233"}]) == [
        (1, "net_mass_kg", -0.5, "from 0 to 1,000,000,000 kg"),
        (2, "currency", "EURO", "a code for the currency of item_value, ISO 4217"),
        (
            2,
            "hs_code",
            "77112233",
            "a chapter of the Harmonized System: 01 to 97 without 77, or 98 and 99 for national use",
        ),
    ]


def test_bounds_are_allowed_themselves():
    assert told([{"tax_rate_pct": 0.0}, {"tax_rate_pct": 2000.0}, {"item_number": 9999}]) == []
    assert [
        column for _, column, _, _ in told([{"tax_rate_pct": 2000.1}, {"item_number": 0}, {"item_number": 10000}])
    ] == [
        "tax_rate_pct",
        "item_number",
        "item_number",
    ]


def test_a_warning_refuses_nothing():
    assert told([{"net_mass_kg": 0.0, "importer_id": "UNKNOWN", "tax_rate_pct": 950.0}]) == []


def test_a_number_that_is_none_counts_as_missing():
    assert told([{"item_value": float("nan")}]) == [(0, "item_value", None, "a value")]


def test_a_gross_mass_below_the_net_mass_is_refused():
    assert told([{"gross_mass_kg": 99.0}, {"gross_mass_kg": 100.0}]) == [
        (0, "gross_mass_kg", 99.0, "a gross mass not below net_mass_kg")
    ]


def test_a_line_break_is_not_the_end_of_a_text():
    assert [row for row, *_ in told([{"importer_id": "I1\n"}, {"importer_id": "I1"}])] == [0]


def test_rules_with_a_condition_have_no_plain_form():
    with pytest.raises(TypeError, match="is_illicit_where_critical of outcomes: ExpectColumnValuesToBeInSet cannot"):
        at_once.refused("outcomes", frame("outcomes", [{}]))


def test_a_column_of_the_contract_must_be_there():
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        at_once.refused("declarations", frame("declarations", [{}]).drop("accepted_at"))

"""Values are brought to the contract's types, or refused with the right words."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import codes
from features.reading.conform import Constant, From, conform
from features.reading.csv_dialect import ReadError
from tests.support.examples import examples


def conformed(column: str, values: list[Any] | pl.Series, table: str = "declarations", **how: Any) -> pl.DataFrame:
    given = pl.DataFrame({"x": values}).with_row_index("source_line", 2).cast({"source_line": pl.Int64})
    return conform(table, given, {column: From("x", **how)}).select(column, "unreadable")


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("hs_code", "090121", "090121"),
        ("importer_id", " I1 ", "I1"),
        ("net_mass_kg", "12.5", 12.5),
        ("net_mass_kg", "-1", -1.0),
        ("net_mass_kg", "1e3", 1000.0),
        ("item_number", "7", 7),
        ("accepted_at", "2024-02-29", datetime(2024, 2, 29)),
        ("accepted_at", "2024-02-29T13:05:00", datetime(2024, 2, 29, 13, 5)),
        ("accepted_at", "2024-02-29 13:05:00.25", datetime(2024, 2, 29, 13, 5, 0, 250_000)),
        ("accepted_at", "2024-02-29T13:05", datetime(2024, 2, 29, 13, 5)),
        ("accepted_at", "2024-02-29 13:05", datetime(2024, 2, 29, 13, 5)),
        ("accepted_at", "20240229", datetime(2024, 2, 29)),
        ("accepted_at", "20240229T130507", datetime(2024, 2, 29, 13, 5, 7)),
        ("accepted_at", "20240229T1305", datetime(2024, 2, 29, 13, 5)),
        ("importer_id", "1001.0", "1001"),
        ("importer_id", "A.0", "A.0"),
        ("importer_id", "\ufeffI1\u200b", "I1"),
        ("importer_id", "\u202eI1\u00ad\x00 ", "I1"),
        ("importer_id", "Cafe\u0301", "Café"),
        ("goods_description", "\u0645\u06cc\u200c\u062e\u2060", "\u0645\u06cc\u200c\u062e"),
        ("net_mass_kg", "\u200e12.5", 12.5),
        ("hs_code", "0901.21", "090121"),
        ("hs_code", "6109.10.00", "61091000"),
        ("hs_code", "6109 10 0012", "6109100012"),
        ("hs_code", "610910.0", "610910"),
        ("hs_code", "610910000013", "610910000013"),
        ("seller_id", "\u200b", None),
        ("seller_id", "", None),
        ("net_mass_kg", "  ", None),
    ],
)
def test_text_that_can_be_read(column: str, text: str, value: object) -> None:
    assert conformed(column, [text]).row(0) == (value, None)


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("net_mass_kg", "abc", "net_mass_kg: 'abc' is not a number"),
        ("net_mass_kg", "1,5", "net_mass_kg: '1,5' is not a number"),
        ("net_mass_kg", "inf", "net_mass_kg: 'inf' is not a number"),
        (
            "net_mass_kg",
            "NaN",
            "net_mass_kg: 'NaN' is not a number; if that stands for nothing, nulls = [...] in the mapping says so",
        ),
        ("item_number", "1.0", "item_number: '1.0' is not a whole number"),
        ("item_number", "99999999999", "item_number: '99999999999' is not a whole number"),
        ("importer_id", "I\u20601", "importer_id: 'I\u20601' has a character nobody sees within it (U+2060)"),
        (
            "importer_id",
            "2.05E+10",
            "importer_id: '2.05E+10' is not text or a whole number with all its digits",
        ),
        ("hs_code", "90121", "hs_code: '90121' has 5 digits; leading zeros were probably lost"),
        (
            "net_mass_kg",
            "N/A",
            "net_mass_kg: 'N/A' is not a number; if that stands for nothing, nulls = [...] in the mapping says so",
        ),
        ("hs_code", "901", "hs_code: '901' has 3 digits; leading zeros were probably lost"),
        (
            "accepted_at",
            "29.02.2024",
            "accepted_at: '29.02.2024' is not a date as 2024-02-29, 2024-02-29T13:05 or 20240229T130500 "
            "(ISO 8601, without a zone)",
        ),
        (
            "accepted_at",
            "2023-02-29",
            "accepted_at: '2023-02-29' is not a date as 2024-02-29, 2024-02-29T13:05 or 20240229T130500 "
            "(ISO 8601, without a zone)",
        ),
    ],
)
def test_text_that_cannot_be_read_says_so(column: str, text: str, reason: str) -> None:
    frame = conformed(column, [text])
    assert frame["unreadable"][0] == reason
    assert column == "hs_code" or "nobody sees" in reason or frame[column][0] is None


def test_decimal_comma_date_format_and_codes() -> None:
    assert conformed("net_mass_kg", ["1234,5", "1.234,5"], decimal_comma=True).rows() == [
        (1234.5, None),
        (None, "net_mass_kg: '1.234,5' is not a number with a decimal comma"),
    ]
    assert conformed("accepted_at", ["29.02.2024", "2024-02-29"], date_format="%d.%m.%Y").rows() == [
        (datetime(2024, 2, 29), None),
        (None, "accepted_at: '2024-02-29' is not a date as %d.%m.%Y"),
    ]
    assert conformed("transport_mode", ["SEA", "FOOT", None], codes={"SEA": "1", "AIR": "4"}).rows() == [
        ("1", None),
        (None, "transport_mode: 'FOOT' is not in the code map (SEA, AIR)"),
        (None, None),
    ]


def test_typed_values_of_parquet() -> None:
    assert conformed("hs_code", [90121])["unreadable"][0].startswith("hs_code: '90121' has 5 digits")
    assert conformed("net_mass_kg", [1, None])["net_mass_kg"].to_list() == [1.0, None]
    assert conformed("item_number", [2.0, 2.5]).rows() == [
        (2, None),
        (None, "item_number: '2.5' is not a whole number"),
    ]
    assert conformed("importer_id", [1001.0, 20523711980.0, 1.5, 2.0**60, float("nan")]).rows() == [
        ("1001", None),
        ("20523711980", None),
        (None, "importer_id: '1.5' is not text or a whole number with all its digits"),
        (None, "importer_id: '1.152921504606847e+18' is not text or a whole number with all its digits"),
        (None, None),
    ]
    assert conformed("accepted_at", [date(2024, 2, 29)])["accepted_at"][0] == datetime(2024, 2, 29)
    assert conformed("is_inspected", [True, False], "outcomes")["is_inspected"].to_list() == [True, False]
    assert conformed("net_mass_kg", [date(2024, 2, 29)])["unreadable"][0] is not None


def test_instants_with_a_zone_are_refused() -> None:
    zoned = pl.Series([datetime(2024, 2, 29, tzinfo=UTC)])
    assert conformed("accepted_at", zoned)["unreadable"][0].startswith("accepted_at: '2024-02-29")


def test_nested_columns_are_refused() -> None:
    with pytest.raises(ReadError, match=r"column 'x' holds List\(Int64\), which cannot become hs_code"):
        conformed("hs_code", [[1]])


def test_several_reasons_stand_side_by_side_and_constants_fill() -> None:
    lines = pl.DataFrame({"source_line": [2], "m": ["x"], "v": ["y"]})
    how = {"net_mass_kg": From("m"), "item_value": From("v"), "currency": Constant("EUR")}
    row = conform("declarations", lines, how).to_dicts()[0]
    assert row["unreadable"] == "net_mass_kg: 'x' is not a number; item_value: 'y' is not a number"
    assert row["currency"] == "EUR"
    assert row["goods_description"] is None


def test_codes_that_were_in_force_then_are_codes() -> None:
    assert {"YU", "AN", "EU", "QU", "XC"} < codes.countries()
    assert {"DEM", "HRK", "ZWD"} < codes.currencies()
    assert codes.countries() == codes.region_of_country().keys()


@pytest.mark.parametrize("first", range(8))
def test_instants_of_all_iso_forms_are_read_whichever_comes_first(first: int) -> None:
    days = ["2024-03-05", "2024-03-05T00:00:00", "2024-03-05 00:00:00.000000", "2024-03-05T00:00", "2024-03-05 00:00"]
    days += ["20240305", "20240305T000000", "20240305T0000"]
    texts = [None, *days[first:], *days[:first], "05.03.2024"]
    lines = pl.DataFrame({"source_line": range(2, 2 + len(texts)), "at": texts})
    found = conform("truth", lines, {"accepted_at": From("at")})
    assert found["accepted_at"].to_list() == [None, *[datetime(2024, 3, 5)] * 8, None]
    assert found["unreadable"].null_count() == 9
    assert found["unreadable"][9].startswith("accepted_at: '05.03.2024' is not a date as 2024-02-29")


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.text("Aé0+-. E\t\u200b", max_size=6), min_size=1, max_size=6))
def test_what_becomes_of_an_id_does_not_depend_on_the_others_in_its_column(texts: list[str]) -> None:
    """A column is looked at as a whole for what single values need not be looked at for."""
    mapped = {"importer_id": From("text"), "hs_code": From("text"), "goods_description": From("text")}
    lines = pl.DataFrame({"source_line": range(2, 2 + len(texts)), "text": texts})
    whole = conform("declarations", lines, mapped)
    single = pl.concat(conform("declarations", lines[at : at + 1], mapped) for at in range(len(texts)))
    assert whole.equals(single)
    among_others = pl.concat([lines, pl.DataFrame({"source_line": [0], "text": ["é\u200b 1.0+E+5-\t"]})])
    assert conform("declarations", among_others, mapped).head(-1).equals(whole)

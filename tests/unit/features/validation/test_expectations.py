"""Every expectation has a row that meets it and a row that does not; all rows are judged in one go, one line a case."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from features.validation.expectations import LONGEST_DESCRIPTION, suite
from features.validation.rows import validate
from features.validation.verdicts import Verdict
from tests.support.declarations import frame

ITS_DAY = datetime(2024, 3, 1)  # of acceptance at 9:30: a whole day contradicts no hour of it
LONG_AGO, BEFORE, LATER = datetime(1024, 3, 1), datetime(2024, 2, 29), datetime(2024, 3, 2)

# Expectation: what to change in the example row so that it is met, and so that it is not.
DECLARATIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "readable": ({}, {"unreadable": "quantity: 'abc' is not a number"}),
    "declaration_id_given": ({}, {"declaration_id": None}),
    "declaration_id_as_patterned": ({"declaration_id": "24BR/0001-7"}, {"declaration_id": "24BR 0001"}),
    "item_number_given": ({}, {"item_number": None}),
    "item_number_within_bounds": ({"item_number": 9999}, {"item_number": 0}),
    "accepted_at_given": ({}, {"accepted_at": None}),
    "accepted_at_plausible": ({"accepted_at": datetime(1990, 1, 1)}, {"accepted_at": LONG_AGO}),
    "recorded_at_plausible": ({"recorded_at": LATER}, {"recorded_at": datetime(9999, 12, 31)}),
    "recorded_at_not_before_acceptance": ({"recorded_at": ITS_DAY}, {"recorded_at": BEFORE}),
    "office_given": ({}, {"office": None}),
    "office_as_patterned": ({"office": "GB000060"}, {"office": "Dover, east"}),
    "procedure_given": ({}, {"procedure": None}),
    "procedure_as_patterned": ({"procedure": "4000"}, {"procedure": "40 00"}),
    "import_type_given": ({}, {"import_type": None}),
    "import_type_as_patterned": ({"import_type": "A"}, {"import_type": "a"}),
    "import_use_as_patterned": ({"import_use": None}, {"import_use": "2*"}),
    "payment_type_as_patterned": ({"payment_type": None}, {"payment_type": "cash"}),
    "transport_mode_given": ({}, {"transport_mode": None}),
    "transport_mode_in_code_list": ({"transport_mode": "9"}, {"transport_mode": "40"}),
    "transport_mode_carries_container": (
        {"transport_mode": "1", "container_id": "MSCU1234567"},
        {"transport_mode": "4", "container_id": "MSCU1234567"},
    ),
    "declarant_id_given": ({}, {"declarant_id": None}),
    "declarant_id_as_patterned": ({"declarant_id": "B"}, {"declarant_id": "B" * 65}),
    "declarant_id_no_filler": ({"declarant_id": "1000"}, {"declarant_id": "99999"}),
    "importer_id_given": ({}, {"importer_id": None}),
    "importer_id_as_patterned": ({"importer_id": "수입자"}, {"importer_id": "I 1"}),
    "importer_id_no_filler": ({"importer_id": "Unknownland"}, {"importer_id": "Unknown"}),
    "seller_id_as_patterned": ({"seller_id": None}, {"seller_id": ""}),
    "seller_id_no_filler": ({"seller_id": None}, {"seller_id": "N/A"}),
    "courier_id_as_patterned": ({"courier_id": "DHL"}, {"courier_id": "D\tHL"}),
    "courier_id_not_by_pipeline": ({"courier_id": "C1"}, {"courier_id": "C1", "transport_mode": "7"}),
    "hs_code_given": ({}, {"hs_code": None}),
    "hs_code_as_patterned": ({"hs_code": "0901210012"}, {"hs_code": "0901.21"}),
    "hs_code_keeps_leading_zeros": ({"hs_code": "090121"}, {"hs_code": "90121"}),
    "hs_code_of_even_length": ({"hs_code": "09012100"}, {"hs_code": "9012100"}),
    "hs_code_chapter_exists": ({"hs_code": "990000"}, {"hs_code": "770110"}),
    "hs_code_heading_numbered": ({"hs_code": "980000"}, {"hs_code": "090021"}),
    "departure_country_given": ({}, {"departure_country": None}),
    "departure_country_in_code_list": ({"departure_country": "XK"}, {"departure_country": "UK"}),
    "origin_country_given": ({}, {"origin_country": None}),
    "origin_country_in_code_list": ({"origin_country": "EU"}, {"origin_country": "UK"}),
    "tax_rate_pct_given": ({}, {"tax_rate_pct": None}),
    "tax_rate_pct_within_bounds": ({"tax_rate_pct": 0.0}, {"tax_rate_pct": 2000.5}),
    "tax_rate_pct_plausible": ({"tax_rate_pct": 887.4}, {"tax_rate_pct": 901.0}),
    "tax_type_given": ({}, {"tax_type": None}),
    "tax_type_as_patterned": ({"tax_type": "FCN1"}, {"tax_type": "FCN1FCN1FCN1F"}),
    "origin_marking_as_patterned": ({"origin_marking": None}, {"origin_marking": "?"}),
    "net_mass_kg_given": ({}, {"net_mass_kg": float("nan")}),
    "net_mass_kg_within_bounds": ({"net_mass_kg": 1e9}, {"net_mass_kg": -0.001}),
    "net_mass_kg_not_zero": ({"net_mass_kg": 0.001}, {"net_mass_kg": 0.0}),
    "item_value_given": ({}, {"item_value": None}),
    "item_value_within_bounds": ({"item_value": 1e15}, {"item_value": 1.1e15}),
    "item_value_not_zero": ({"item_value": 0.01}, {"item_value": 0.0}),
    "currency_given": ({}, {"currency": None}),
    "currency_in_code_list": ({"currency": "KRW"}, {"currency": "usd"}),
    "goods_description_of_sane_length": (
        {"goods_description": "x" * LONGEST_DESCRIPTION},
        {"goods_description": "x" * 1_000_000},
    ),
    "quantity_within_bounds": ({"quantity": 1.0, "quantity_unit": "KGM"}, {"quantity": -1.0, "quantity_unit": "KGM"}),
    "quantity_unit_as_patterned": ({"quantity_unit": "C62"}, {"quantity_unit": "pieces"}),
    "quantity_unit_where_quantity": ({"quantity": None}, {"quantity": 3.0, "quantity_unit": None}),
    "gross_mass_kg_within_bounds": ({"gross_mass_kg": 1e9}, {"gross_mass_kg": 1.1e9}),
    "gross_mass_kg_not_below_net": (
        {"gross_mass_kg": 100.0, "net_mass_kg": 100.0},
        {"gross_mass_kg": 99.9, "net_mass_kg": 100.0},
    ),
    "container_id_as_patterned": ({"container_id": "MSCU1234567"}, {"container_id": "MSCU123456"}),
    "transport_document_id_as_patterned": ({"transport_document_id": "180-1"}, {"transport_document_id": "180 1"}),
}

OUTCOMES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "readable": ({}, {"unreadable": "is_critical: Critical Fraud '2' contradicts Fraud '0'"}),
    "declaration_id_given": ({}, {"declaration_id": None}),
    "declaration_id_as_patterned": ({"declaration_id": "D-2"}, {"declaration_id": "D\n2"}),
    "item_number_given": ({}, {"item_number": None}),
    "item_number_within_bounds": ({"item_number": 1}, {"item_number": 10_000}),
    "accepted_at_given": ({}, {"accepted_at": None}),
    "accepted_at_plausible": ({"accepted_at": datetime(2099, 12, 31)}, {"accepted_at": datetime(2100, 1, 1)}),
    "is_inspected_given": ({}, {"is_inspected": None}),
    "is_illicit_only_where_inspected": (
        {"is_inspected": False, "is_illicit": None, "is_critical": None, "recovered_revenue": None},
        {"is_inspected": False, "is_illicit": False, "is_critical": None},
    ),
    "is_critical_only_where_inspected": (
        {"is_inspected": False, "is_illicit": None, "is_critical": None},
        {"is_inspected": False, "is_illicit": None, "is_critical": False},
    ),
    "is_illicit_where_critical": (
        {"is_critical": True, "is_illicit": True},
        {"is_critical": True, "is_illicit": False},
    ),
    "is_illicit_known_where_critical": (
        {"is_critical": True, "is_illicit": True},
        {"is_critical": True, "is_illicit": None},
    ),
    "is_illicit_where_inspected": ({"is_illicit": True}, {"is_illicit": None, "is_critical": None}),
    "recovered_revenue_within_bounds": ({"recovered_revenue": None}, {"recovered_revenue": -0.01}),
    "recovered_revenue_only_where_inspected": (
        {"is_inspected": False, "is_illicit": None, "is_critical": None, "recovered_revenue": 0.0},
        {"is_inspected": False, "is_illicit": None, "is_critical": None, "recovered_revenue": 5.0},
    ),
    "recovered_revenue_only_where_illicit": (
        {"is_illicit": True, "recovered_revenue": 5.0},
        {"is_illicit": False, "recovered_revenue": 5.0},
    ),
    "inspection_channel_in_code_list": ({"inspection_channel": None}, {"inspection_channel": "RED"}),
    "inspection_channel_not_green_where_inspected": (
        {"inspection_channel": "blue"},
        {"inspection_channel": "green"},
    ),
    "selection_probability_within_bounds": ({"selection_probability": 1.0}, {"selection_probability": 1.01}),
    "selection_probability_above_zero": ({"selection_probability": 1e-6}, {"selection_probability": 0.0}),
    "known_at_plausible": ({"known_at": LATER}, {"known_at": datetime(2924, 3, 1)}),
    "known_at_not_before_acceptance": ({"known_at": ITS_DAY}, {"known_at": BEFORE}),
}

CASES = {"declarations": DECLARATIONS, "outcomes": OUTCOMES}
EACH = [(table, name) for table, cases in CASES.items() for name in cases]


def judged(table: str, which: int) -> Verdict:
    changes = [{"unreadable": None} | pair[which] for pair in CASES[table].values()]
    unreadable = pl.Series("unreadable", [change.pop("unreadable") for change in changes], dtype=pl.String)
    rows = frame(table, changes).with_columns(unreadable, source_line=pl.int_range(1, len(changes) + 1, dtype=pl.Int64))
    return validate(table, rows)


@pytest.fixture(scope="module")
def met() -> dict[str, Verdict]:
    return {table: judged(table, 0) for table in CASES}


@pytest.fixture(scope="module")
def unmet() -> dict[str, Verdict]:
    return {table: judged(table, 1) for table in CASES}


def failing_lines(verdict: Verdict, name: str) -> list[int]:
    result = next(result for result in verdict.results if result.name == name)
    refused = verdict.failures.filter(pl.col("expectation") == name)["source_line"].to_list()
    lines = refused if result.severity == "row" else [example.source_line for example in result.examples]
    assert result.unexpected == len(lines)
    assert not refused or result.severity == "row"
    return lines


@pytest.mark.parametrize("table", CASES)
def test_every_expectation_has_a_case(table):
    names = [(expectation.meta or {})["name"] for expectation in suite(table).expectations]
    assert sorted(names) == sorted(CASES[table])


@pytest.mark.parametrize(("table", "name"), EACH)
def test_met(met, table, name):
    assert failing_lines(met[table], name) == []


@pytest.mark.parametrize(("table", "name"), EACH)
def test_unmet(unmet, table, name):
    line = [*CASES[table]].index(name) + 1
    assert line in failing_lines(unmet[table], name)


def test_thirty_expectations_on_declarations_send_rows_to_quarantine(met):
    severities = [result.severity for result in met["declarations"].results]
    assert severities.count("row") >= 30
    assert severities.count("warning") >= 10


def test_a_spotless_row_meets_all(met):
    assert met["declarations"].failures.is_empty()
    assert met["outcomes"].failures.is_empty()


def test_rows_that_a_warning_concerns_are_not_refused(unmet):
    warnings = {result.name for result in unmet["declarations"].results if result.severity == "warning"}
    assert {"net_mass_kg_not_zero", "item_value_not_zero"} <= warnings
    lines = {[*DECLARATIONS].index(name) + 1 for name in warnings if name != "seller_id_no_filler"}
    assert lines.isdisjoint(unmet["declarations"].failures["source_line"].to_list())


def test_reasons_name_column_value_and_what_is_allowed(unmet):
    reasons = dict(unmet["declarations"].failures.select("expectation", "reason").rows())
    assert reasons["office_given"] == "office: empty; expected: a value"
    assert reasons["net_mass_kg_within_bounds"] == "net_mass_kg: -0.001; expected: from 0 to 1,000,000,000 kg"
    assert reasons["hs_code_keeps_leading_zeros"] == (
        "hs_code: '90121'; expected: 6 digits or more; were leading zeros lost?"
    )
    assert reasons["gross_mass_kg_not_below_net"] == (
        "gross_mass_kg: 99.9 (net_mass_kg: 100.0); expected: a gross mass not below net_mass_kg"
    )
    assert reasons["accepted_at_plausible"].startswith("accepted_at: 1024-03-01 00:00:00")
    assert reasons["readable"] == "quantity: 'abc' is not a number"


def test_long_values_are_cut_in_reasons(unmet):
    failures = unmet["declarations"].failures.filter(pl.col("expectation") == "goods_description_of_sane_length")
    assert len(failures["reason"][0]) < 200


def test_an_amount_that_no_sum_can_hold_is_refused() -> None:
    """Features add amounts up as whole numbers of 64 bits: one such row in the store would stop every later run."""
    rows = frame("outcomes", [{"is_illicit": True, "recovered_revenue": 1e20}])
    verdict = validate("outcomes", rows.with_columns(source_line=pl.lit(1, pl.Int64)))
    assert "recovered_revenue_within_bounds" in verdict.failures["expectation"].to_list()

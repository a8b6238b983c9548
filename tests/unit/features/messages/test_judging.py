"""Each item becomes a row or a refusal that names element and value; customs' tables fill what messages do not have."""

import pytest
from polars.testing import assert_frame_equal

from features import contract
from features.messages import read
from features.messages.reader import JSON
from tests.support import messages
from tests.support.messages import ACCEPTED_AT, declaration


def told(*declarations: dict, **arguments) -> list[tuple]:
    found = read(messages.in_json(*declarations), JSON, ACCEPTED_AT, **arguments)
    return [(each.declaration, each.item, str(each)) for each in found.refusals]


def test_a_wrong_item_is_refused_and_the_other_is_a_row():
    found = read(messages.in_json(declaration({"net_mass_kg": -1}, {})), JSON, ACCEPTED_AT)
    assert [(each.item, str(each)) for each in found.refusals] == [
        (1, "items[0].net_mass_kg: -1.0; expected: from 0 to 1,000,000,000 kg")
    ]
    assert found.rows["item_number"].to_list() == [2]


def test_every_fault_of_an_item_is_told():
    item = {"hs_code": "77", "currency": "EURO", "item_value": "12", "origin_country": None}
    assert told(declaration(item)) == [
        ("LRN-7", 1, "items[0].item_value: '12'; expected: a finite number"),
        ("LRN-7", 1, "items[0].hs_code: '77'; expected: text that matches ^\\d{6,12}$"),
        ("LRN-7", 1, "items[0].origin_country: empty; expected: a value"),
        ("LRN-7", 1, "items[0].currency: 'EURO'; expected: a code for the currency of item_value, ISO 4217"),
        ("LRN-7", 1, "items[0].hs_code: '77'; expected: 6 digits or more; were leading zeros lost?"),
        (
            "LRN-7",
            1,
            "items[0].hs_code: '77'; expected: "
            "a chapter of the Harmonized System: 01 to 97 without 77, or 98 and 99 for national use",
        ),
    ]


def test_what_is_wrong_for_all_items_is_told_once_and_refuses_them_all():
    found = read(messages.in_json(declaration({}, {}, office="no such")), JSON, ACCEPTED_AT)
    assert [(each.declaration, each.item, each.element, each.value) for each in found.refusals] == [
        ("LRN-7", None, "office", "'no such'")
    ]
    assert found.rows.is_empty()


def test_items_of_one_number_are_all_refused():
    assert told(declaration({}, {"item_number": 1}, {})) == [
        ("LRN-7", 1, f"items[{place}].item_number: 1; expected: a number that no other item of the declaration has")
        for place in (0, 1)
    ]


def test_a_declaration_that_is_twice_in_a_message_is_refused_both_times():
    twice = [declaration(), declaration(declaration_id="OTHER"), declaration({}, {})]
    assert told(*twice) == [
        ("LRN-7", None, f"[{place}].declaration_id: 'LRN-7'; expected: each declaration once in a message")
        for place in (0, 2)
    ]
    found = read(messages.in_json(*twice), JSON, ACCEPTED_AT)
    assert found.rows["declaration_id"].to_list() == ["OTHER"]


def test_customs_tables_fill_the_office_and_the_rate_and_nothing_else():
    asked = []

    def tables(row):
        asked.append((row["hs_code"], row["office"], row["tax_rate_pct"]))
        return {"office": "GB000060", "tax_rate_pct": 12.5, "importer_id": "XX", "currency": "EUR"}

    lacking = declaration({"tax_rate_pct": None, "importer_id": None}, office=None, importer_id=None)
    del lacking["importer_id"]
    found = read(messages.in_json(lacking), JSON, ACCEPTED_AT, tables=tables)
    assert asked == [("0901210000", None, None)]
    assert [str(each) for each in found.refusals] == ["items[0].importer_id: empty; expected: a value"]
    whole = declaration({"tax_rate_pct": None}, office=None)
    found = read(messages.in_json(whole), JSON, ACCEPTED_AT, tables=tables)
    assert_frame_equal(found.rows, messages.rows(declaration({"tax_rate_pct": 12.5})))


def test_customs_tables_are_not_asked_what_the_message_says_even_if_it_cannot_be_read():
    def tables(row):
        raise AssertionError(row)

    assert told(declaration(), tables=tables) == []
    assert [text for *_, text in told(declaration({"tax_rate_pct": "8"}), tables=tables)] == [
        "items[0].tax_rate_pct: '8'; expected: a finite number"
    ]


def test_what_customs_tables_say_is_judged_too():
    found = told(declaration({"tax_rate_pct": None}), tables=lambda _: {"tax_rate_pct": 2000.5})
    assert found == [("LRN-7", 1, "tax_rate_pct by customs' tables: 2000.5; expected: from 0 to 2,000 %")]


def test_without_customs_tables_both_are_refused():
    assert [text for *_, text in told(declaration({"tax_rate_pct": None}, office=None))] == [
        "office: empty; expected: a value",
        "items[0].tax_rate_pct: empty; expected: a value",
    ]


@pytest.mark.parametrize("reference", [None, 7, "", "a b", "x" * 65])
def test_a_declaration_without_a_right_reference_is_refused(reference):
    found = told(declaration(declaration_id=reference))
    assert found
    assert all(text.startswith("declaration_id: ") for *_, text in found)


def test_rows_have_the_contracts_columns_in_its_order():
    found = read(messages.in_json(declaration()), JSON, ACCEPTED_AT)
    assert found.rows.schema == contract.schema("declarations")
    assert found.rows["accepted_at"].to_list() == [ACCEPTED_AT]
    assert found.rows["recorded_at"].to_list() == [None]

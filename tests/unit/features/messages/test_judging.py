"""Each item becomes a row or a refusal that names element and value; customs' tables fill what messages do not have."""

import pytest
from polars.testing import assert_frame_equal

from features import contract
from features.messages import Tables, read
from features.messages.reader import JSON
from tests.support import messages
from tests.support.messages import ACCEPTED_AT, declaration

XML, CUSDEC = "application/xml", "application/edifact"
LOCATION = "GoodsShipment/Consignment/GoodsLocation/Name"


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


TABLES = Tables(
    {("office", "GB000060"): "010", ("office", "010"): "999", ("goods_location", "LHRLHRLHR"): "020"},
    {("0901", "", ""): 12.5, ("6109", "", ""): 9.0},
)


def test_customs_tables_fill_the_office_and_the_rate_and_nothing_else():
    lacking = declaration({"tax_rate_pct": None, "net_mass_kg": None})
    content = messages.in_xml(lacking, DeclarationOfficeID=None, **{LOCATION: " LHRLHRLHR "})
    found = read(content, XML, ACCEPTED_AT, tables=TABLES)
    assert [each.element.rpartition("/")[2] for each in found.refusals] == ["NetNetWeightMeasure"]
    content = messages.in_xml(declaration({"tax_rate_pct": None}), DeclarationOfficeID=None, **{LOCATION: "LHRLHRLHR"})
    found = read(content, XML, ACCEPTED_AT, tables=TABLES)
    assert_frame_equal(found.rows, messages.rows(declaration({"tax_rate_pct": 12.5}, office="020")))


def test_the_place_of_goods_in_cusdec_tells_the_office_if_there_is_one_place():
    content = messages.in_edifact(declaration())
    for places, expected in (("LOC+14+LHRLHRLHR'", ["020"]), ("LOC+14+LHRLHRLHR'LOC+14+ELSEWHERE'", [])):
        count = str(23 + places.count("LOC") - 1).encode()
        changed = content.replace(b"LOC+22+GB000060'", places.encode()).replace(b"UNT+23", b"UNT+" + count)
        assert read(changed, CUSDEC, ACCEPTED_AT, tables=TABLES).rows["office"].to_list() == expected


def test_an_office_by_another_list_is_the_one_that_customs_tables_name():
    for office, expected in (("GB000060", "010"), ("GB000999", "GB000999")):
        told = declaration(office=office)
        for content, kind in ((messages.in_json(told), JSON), (messages.in_xml(told), XML)):
            found = read(content, kind, ACCEPTED_AT, tables=TABLES)
            assert_frame_equal(found.rows, messages.rows(declaration(office=expected)))


def test_a_rate_that_the_message_says_stays_and_so_does_one_that_cannot_be_read():
    found = read(messages.in_json(declaration()), JSON, ACCEPTED_AT, tables=TABLES)
    assert found.rows["tax_rate_pct"].to_list() == [27.5]
    assert [text for *_, text in told(declaration({"tax_rate_pct": "8"}), tables=TABLES)] == [
        "items[0].tax_rate_pct: '8'; expected: a finite number"
    ]


def test_what_customs_tables_do_not_know_is_refused_as_missing():
    lacking = declaration({"tax_rate_pct": None, "hs_code": "220300"}, office=None)
    content = messages.in_xml(lacking, DeclarationOfficeID=None, **{LOCATION: "ELSEWHERE"})
    found = read(content, XML, ACCEPTED_AT, tables=TABLES)
    assert [str(each).partition(": ")[2] for each in found.refusals] == ["empty; expected: a value"] * 2


def test_what_customs_tables_say_is_judged_too():
    found = told(declaration({"tax_rate_pct": None}), tables=Tables({}, {("09", "", ""): 2000.5}))
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


def test_a_refusal_names_a_declaration_by_the_first_64_characters_of_what_was_given():
    assert {name for name, *_ in told(declaration(declaration_id="x" * 70))} == {"x" * 64}


def test_rows_have_the_contracts_columns_in_its_order():
    found = read(messages.in_json(declaration()), JSON, ACCEPTED_AT)
    assert found.rows.schema == contract.schema("declarations")
    assert found.rows["accepted_at"].to_list() == [ACCEPTED_AT]
    assert found.rows["recorded_at"].to_list() == [None]

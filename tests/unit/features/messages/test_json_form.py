"""JSON: where a column may stand, which keys there are, and what is no such message."""

import json

import pytest
from polars.testing import assert_frame_equal

from features.messages import read
from features.messages.reader import JSON
from tests.support import messages
from tests.support.messages import ACCEPTED_AT, declaration


def told(content: bytes) -> list[str]:
    return [str(each) for each in read(content, JSON, ACCEPTED_AT).refusals]


def test_a_column_may_stand_at_the_declaration_or_at_the_item():
    shared = declaration({}, {})
    for item in shared["items"]:
        del item["origin_country"]
        item["importer_id"] = "IM1"
    del shared["importer_id"]
    found = read(messages.in_json(shared | {"origin_country": "CO"}), JSON, ACCEPTED_AT)
    assert_frame_equal(found.rows, messages.rows(declaration({}, {})))


def test_a_column_at_both_is_refused_even_if_they_agree():
    assert told(messages.in_json(declaration({"office": "GB000060"}, {}))) == [
        "items[0].office: 'GB000060'; expected: it stands at the declaration (office)"
    ]


def test_unknown_keys_are_refused_by_name():
    found = told(messages.in_json(declaration({"colour": "red"}), declaration(declaration_id="B", Office=1)))
    assert [text.partition("; expected: one of ")[0] for text in found] == [
        "[0].items[0].colour: 'red'",
        "[1].Office: 1",
    ]
    allowed = found[1].partition("; expected: one of ")[2].split(", ")
    assert {"declaration_id", "items", "currency"} < set(allowed)
    assert not {"item_number", "accepted_at"} & set(allowed)


@pytest.mark.parametrize("key", ["accepted_at", "recorded_at"])
def test_no_message_says_when_it_arrived(key):
    assert told(messages.in_json(declaration(**{key: "2020-01-01"}))) == [
        f"{key}: '2020-01-01'; expected: nothing; customs' own clock says it"
    ]
    assert told(messages.in_json(declaration({key: None}))) == [
        f"items[0].{key}: empty; expected: nothing; customs' own clock says it"
    ]


def test_a_key_that_is_given_twice_is_refused_wherever_it_is():
    content = messages.in_json(declaration())
    twice = content.replace(b'"office":', b'"office": "XX", "office":').replace(
        b'"hs_code":', b'"hs_code": 1, "hs_code":'
    )
    assert told(twice) == ["office: given twice; expected: once", "items[0].hs_code: given twice; expected: once"]


def test_keys_of_one_object_alone_are_in_their_place():
    assert told(messages.in_json(declaration() | {"item_number": 1}))[0].startswith("item_number: 1; expected: one of")
    assert told(messages.in_json(declaration({"declaration_id": "B"})))[0].startswith("items[0].declaration_id: 'B'")


def test_a_strange_key_is_shown_in_quotes_and_short():
    found = told(json.dumps(declaration() | {"a\u202e" * 90: 1}).encode())
    assert found[0].startswith("'" + "a\\u202e" * 30 + "...': 1; expected")


@pytest.mark.parametrize("items", [None, [], {}, "x", 7])
def test_a_declaration_has_items(items):
    (refusal,) = told(json.dumps(declaration() | {"items": items}).encode())
    assert refusal.startswith("items: ")
    assert refusal.endswith("; expected: a list of at least one item")


@pytest.mark.parametrize("each", [None, 7, "x", [], [{}]])
def test_an_item_and_a_declaration_are_objects(each):
    content = json.dumps(declaration() | {"items": [each, declaration()["items"][0]]}).encode()
    found = read(content, JSON, ACCEPTED_AT)
    assert str(found.refusals[0]).startswith("items[0]: ")
    assert found.rows.height == 1
    assert told(json.dumps([each]).encode())[0].startswith("[0]: ")


def test_a_batch_has_one_to_a_thousand_declarations():
    many = [declaration(declaration_id=f"D{number}") for number in range(1000)]
    assert read(messages.in_json(*many), JSON, ACCEPTED_AT).rows.height == 1000
    assert told(json.dumps([*many, {}]).encode()) == ["message: 1,001 declarations; expected: 1 to 1,000"]
    assert told(b"[]") == ["message: 0 declarations; expected: 1 to 1,000"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(number):
    content = messages.in_json(declaration()).replace(b"1500.5", number.encode())
    assert [text.partition(":")[0] for text in told(content)] == ["items[0].item_value"]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"[" * 11_000, "nested too deep"),
        (b'{"items":' * 11_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number with thousands of digits"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "Expecting property name"),
        ('{"a": 1}'.encode("utf-16"), "byte 0 is not UTF-8"),
        (b'{"a": "\x00"}', "Invalid control character"),
        (b'{"a": 1} {"b": 2}', "Extra data"),
        (b"{'a': 1}", "Expecting property name"),
    ],
)
def test_what_is_no_such_json_is_refused_as_a_whole(content, value):
    (refusal,) = told(content)
    assert refusal.startswith("message: ")
    assert value in refusal


def test_a_byte_order_mark_is_no_fault():
    assert told(b"\xef\xbb\xbf" + messages.in_json(declaration())) == []


def test_deep_values_are_refused_in_their_column():
    content = messages.in_json(declaration()).replace(b'"US', b"[" * 400 + b"]" * 400 + b', "x": "US')
    assert told(content)[-1] == "items[0].currency: a list; expected: text"


def test_an_object_of_many_keys_is_one_refusal():
    keys = b", ".join(b'"k%d": 1' % (number // 2) for number in range(400_000))
    assert told(b"{" + keys + b"}")[0] == "message: 200,000 keys; expected: at most 100"
    many = messages.in_json(declaration({f"k{number}": 1 for number in range(90)}))
    assert told(many) == ["items[0]: 109 keys; expected: at most 100"]


def test_empty_items_do_not_ask_for_gigabytes():
    begin = b'[{"declaration_id": "A", "items": [{}'
    assert told(begin + b",{}" * 10_000 + b"]}]") == ["message: 10,001 goods items; expected: at most 10,000 in all"]
    assert told(begin + b",{}" * 3_000_000 + b"]}]") == ["message: 3,000,002 times {; expected: at most 11,000 times"]
    assert told(b"[" + b"[]," * 3_000_000) == ["message: 3,000,001 times [; expected: at most 11,000 times"]


def test_as_many_items_as_a_message_may_have_are_read():
    whole = declaration(*({} for _ in range(9_999)))
    assert read(messages.in_json(whole), JSON, ACCEPTED_AT).rows.height == 9_999

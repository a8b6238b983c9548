"""What is told in XML is what is told in JSON, and a trader's answer depends on the lane alone."""

import msgspec
import pytest
from lxml import etree

from features.messages import Refusal
from models.access.accounts import SYSTEM, TRADE
from models.window import telling
from models.window.telling import Answer
from tests.support.decided import decision

XML = "application/xml"
FOUND = decision(7)


def written(told, role, form=XML):
    return Answer([told], [], told.message, told.received_at).written(form, role)


def held(reason, lane="red"):
    """Return the decision as `reason` would make it, with all else that may not be told other, too."""
    other = len(reason)
    items = tuple(
        msgspec.structs.replace(item, lane=lane, reason=reason, score=other / 100, reasons=item.reasons * other)
        for item in FOUND.items
    )
    return msgspec.structs.replace(FOUND, items=items, model_version=reason, unscored=reason)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ([], telling.JSON),
        (["*/*"], telling.JSON),
        (["application/*"], telling.JSON),
        (["application/xml"], XML),
        (["Application/XML; charset=UTF-8"], XML),
        (["text/xml"], "text/xml"),
        (["text/*"], "text/xml"),
        (["application/json, application/xml"], telling.JSON),
        (["application/xml, application/json"], telling.JSON),
        (["application/json;q=0.5, application/xml;q=0.9"], XML),
        (["application/json;q=0.5", "application/xml;q=0.9"], XML),
        (["*/*;q=0.1, application/json;q=0"], XML),
        (["text/html, application/xml;q=0.9, */*;q=0.8"], XML),
        (["text/html"], None),
        (["application/json;q=0"], None),
        (["application/json;q=much"], None),
        (["nonsense"], None),
        ([""], telling.JSON),
    ],
)
def test_the_form_is_the_one_that_is_liked_best_and_json_among_equals(accept, form):
    assert telling.form(accept) == form


def test_customs_own_system_is_told_all_in_xml_that_it_is_told_in_json():
    (response,) = etree.fromstring(written(FOUND, SYSTEM)).findall("{*}Response")
    of = {}
    for each in response.iter("{*}AdditionalInformation"):
        item = each.findtext("{*}Pointer[3]/{*}SequenceNumeric")
        of[item, each.findtext("{*}StatementCode")] = each.findtext("{*}StatementDescription")
    told = telling.in_full(FOUND)
    for name in ("morning", "model_version", "model_digest", "policy_digest"):
        assert of.pop((None, name)) == told[name]
    for item in told["items"]:
        number = str(item["item_number"])
        for code, name in telling.OF_ITEM.items():
            if item[name] is not None:
                given = of.pop((number, code))
                assert (float(given) if isinstance(item[name], float) else given) == item[name]
        (reason,) = item["reasons"]
        assert float(of.pop((number, "why1_contribution"))) == reason["contribution"]
        for name in ("group", "direction", "sentence"):
            assert of.pop((number, f"why1_{name}")) == reason[name]
    assert of == {}
    assert [[part.text for part in each.iter() if not len(part)] for each in response.iter("{*}Status")] == [
        ["RED"],
        ["RED", "42A", "67A", "1", "68A"],
        ["GRN", "42A", "67A", "2", "68A"],
    ]


@pytest.mark.parametrize(
    ("lane", "function", "status", "present"),
    [
        ("red", "05", "HLD", "goods and documents"),
        ("yellow", "06", "HLD", "documents"),
        ("blue", "09", "REL", None),
        ("green", "09", "REL", None),
    ],
)
def test_a_trader_is_told_in_xml_whether_goods_are_held_and_what_to_present(lane, function, status, present):
    (response,) = etree.fromstring(written(held("value", lane), TRADE)).findall("{*}Response")
    assert response.findtext("{*}FunctionCode") == function
    assert [each.text for each in response.iter("{*}NameCode")] == [status]
    assert response.findtext("{*}AdditionalInformation/{*}StatementDescription") == present
    assert response.findtext("{*}FunctionalReferenceID") == FOUND.decision_id


@pytest.mark.parametrize("form", telling.FORMS)
def test_whatever_holds_goods_or_not_a_trader_is_told_the_same_to_the_byte(form):
    for lanes in (("red",), ("yellow",), ("blue", "green")):
        told = {
            written(held(reason, lane), TRADE, form)
            for reason in ("random", "critical", "criterion", "exploration", "value")
            for lane in lanes
        }
        assert len(told) == 1
    assert written(held("random"), SYSTEM, form) != written(held("value"), SYSTEM, form)


def test_refusals_are_told_by_declaration_to_both_alike():
    refused = [
        Refusal("D1", 1, "items[0].hs_code", "'61'", "6 digits"),
        Refusal("D2", None, "office", "empty", "a value"),
        Refusal("D1", 2, "items[1].currency", "empty", "a value"),
        Refusal("D\x01", None, "declaration_id", "'D\\x01'", "letters"),
    ]
    answer = Answer([], refused, "ab" * 32, FOUND.received_at)
    assert answer.written(XML, SYSTEM) == answer.written(XML, TRADE)
    found = etree.fromstring(answer.written(XML, TRADE)).findall("{*}Response")
    told = [(each.findtext("{*}Declaration/{*}FunctionalReferenceID"), each.findall("{*}Error")) for each in found]
    assert [(name, len(errors)) for name, errors in told] == [("D1", 2), ("D2", 1), ("D\ufffd", 1)]
    ids = [each.findtext("{*}FunctionalReferenceID") for each in found]
    assert ids == [f"{'ab' * 14}-{place}" for place in (1, 2, 3)]

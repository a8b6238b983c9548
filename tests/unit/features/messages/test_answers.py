"""Answers in XML: the functions, texts and errors, where they point to, and what they may not hold."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from lxml import etree

from features.messages import Refusal, answers
from features.messages.wco import METADATA

AT = datetime(2024, 3, 1, 9, 30, 5, tzinfo=UTC)


def answered(function: str = "released", **arguments) -> etree._Element:
    defaults = {"message_id": "N1", "issued_at": AT}
    return etree.fromstring(answers.answer("LRN-7", function, **(defaults | arguments)))


def texts(root: etree._Element) -> list[tuple[str, str]]:
    return [(etree.QName(each).localname, each.text or "") for each in root.iter() if not len(each)]


def test_an_answer_names_declaration_function_and_moment():
    root = answered()
    assert root.tag == f"{{{METADATA}}}MetaData"
    assert root[2].tag == f"{{{answers.NAMESPACE}}}Response"
    assert texts(root) == [
        ("WCODataModelVersionCode", "3.6"),
        ("WCOTypeName", "RES"),
        ("FunctionCode", "09"),
        ("FunctionalReferenceID", "N1"),
        ("DateTimeString", "20240301093005Z"),
        ("FunctionalReferenceID", "LRN-7"),
    ]
    (moment,) = root.iter("{*}DateTimeString")
    assert moment.get("formatCode") == "304"


@pytest.mark.parametrize(
    ("function", "code"),
    [("accepted", "01"), ("refused", "03"), ("held", "05"), ("documents", "06"), ("released", "09")],
)
def test_each_function_has_its_code(function, code):
    assert answered(function).findtext(".//{*}FunctionCode") == code


def test_a_moment_is_told_in_utc():
    east = datetime(2024, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=9)))
    assert answered(issued_at=east).findtext(".//{*}DateTimeString") == "20240301003000Z"


def test_what_to_present_is_told_in_its_order():
    root = answered("held", to_present=["Bring <the> invoice & goods", "x" * 600])
    told = [each.text for each in root.iter("{*}StatementDescription")]
    assert told == ["Bring <the> invoice & goods", "x" * 509 + "..."]


def error(element: str) -> etree._Element:
    (found,) = answered("refused", refusals=[Refusal("LRN-7", 2, element, "'-1'", "0 or more")]).iter("{*}Error")
    return found


def test_an_error_says_element_value_and_what_is_allowed():
    path = "Declaration/GoodsShipment/GovernmentAgencyGoodsItem[2]/Commodity/GoodsMeasure/NetNetWeightMeasure"
    found = error(path)
    assert found.findtext("{*}Description") == f"{path}: '-1'; expected: 0 or more"
    assert [[each.text for each in pointer] for pointer in found.iter("{*}Pointer")] == [
        ["42A"],
        ["67A"],
        ["2", "68A"],
        ["23A"],
        ["65A"],
    ]


@pytest.mark.parametrize(
    ("element", "sections"),
    [
        ("Declaration/Classification[IdentificationTypeCode='TSP' or IdentificationTypeCode='HS']/ID", ["42A", "21A"]),
        ("Declaration[3]/GoodsShipment/Importer/ID", ["3", "42A", "67A"]),
        ("items[0].hs_code", []),
        ("item 1: MOA+40, element 1.2", []),
        ("message", []),
    ],
)
def test_a_pointer_leads_as_far_as_sections_have_codes(element, sections):
    assert [part.text for pointer in error(element).iter("{*}Pointer") for part in pointer] == sections


def test_an_error_longer_than_the_data_model_allows_is_cut():
    text = error("x" * 600).findtext("{*}Description")
    assert text == "x" * 509 + "..."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"message_id": "N" * 36}, "has 36 characters; allowed: 1 to 35"),
        ({"message_id": ""}, "has 0 characters; allowed: 1 to 35"),
        ({"issued_at": datetime(2024, 3, 1)}, "has no zone"),
    ],
)
def test_what_xml_does_not_hold_is_refused(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        answered(**arguments)
    with pytest.raises(ValueError, match=r"reference 'xxx.* has 36 characters"):
        answers.answer("x" * 36, "held", message_id="N1", issued_at=AT)

"""Answers in XML: the functions, texts and errors, where they point to, and what they may not hold."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from lxml import etree

from features.messages import Refusal, answers
from features.messages.answers import Notification, Statement, Status
from features.messages.wco import ITEM, MAPPED, METADATA

AT = datetime(2024, 3, 1, 9, 30, 5, tzinfo=UTC)
DEEP = "Declaration/GoodsShipment/GovernmentAgencyGoodsItem[2]/Commodity/GoodsMeasure/NetNetWeightMeasure"


def answered(function: str = "released", reference: str | None = "LRN-7", **arguments) -> etree._Element:
    defaults = {"message_id": "N1", "issued_at": AT}
    return etree.fromstring(answers.written([Notification(reference, function, **(defaults | arguments))]))


def texts(root: etree._Element) -> list[tuple[str, str]]:
    return [(etree.QName(each).localname, each.text or "") for each in root.iter() if not len(each)]


def test_an_answer_names_declaration_version_function_and_moment():
    root = answered(version=2)
    assert root.tag == f"{{{METADATA}}}MetaData"
    assert root[2].tag == f"{{{answers.NAMESPACE}}}Response"
    assert texts(root) == [
        ("WCODataModelVersionCode", "3.6"),
        ("WCOTypeName", "RES"),
        ("FunctionCode", "09"),
        ("FunctionalReferenceID", "N1"),
        ("DateTimeString", "20240301093005Z"),
        ("FunctionalReferenceID", "LRN-7"),
        ("VersionID", "2"),
    ]
    (moment,) = root.iter("{*}DateTimeString")
    assert moment.get("formatCode") == "304"


def test_several_answers_are_one_message():
    told = [Notification(name, "released", f"N-{name}", AT) for name in ("A", "B")]
    found = etree.fromstring(answers.written(told)).findall("{*}Response")
    assert [each.findtext("{*}Declaration/{*}FunctionalReferenceID") for each in found] == ["A", "B"]


@pytest.mark.parametrize(
    ("function", "code"),
    [("accepted", "01"), ("refused", "03"), ("held", "05"), ("documents", "06"), ("released", "09")],
)
def test_each_function_has_its_code(function, code):
    assert answered(function).findtext(".//{*}FunctionCode") == code


def test_a_moment_is_told_in_utc():
    east = datetime(2024, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=9)))
    assert answered(issued_at=east).findtext(".//{*}DateTimeString") == "20240301003000Z"


def test_information_and_statuses_are_told_in_their_order_each_of_its_item():
    information = (Statement("present", "Bring <the> invoice & goods"), Statement("long", "x" * 600, 12))
    root = answered("held", statements=information, statuses=(Status("HLD"), Status("RED", 12)))
    assert [[part.text for part in each.iter() if not len(part)] for each in root.iter("{*}AdditionalInformation")] == [
        ["present", "Bring <the> invoice & goods"],
        ["long", "x" * 509 + "...", "42A", "67A", "12", "68A"],
    ]
    assert [[part.text for part in each.iter() if not len(part)] for each in root.iter("{*}Status")] == [
        ["HLD"],
        ["RED", "42A", "67A", "12", "68A"],
    ]


def error(element: str, value: str = "'-1'", declaration: str | None = "LRN-7") -> etree._Element:
    (found,) = answered("refused", refusals=(Refusal(declaration, 2, element, value, "0 or more"),)).iter("{*}Error")
    return found


def pointers(found: etree._Element) -> list[list[str | None]]:
    return [[each.text for each in pointer] for pointer in found.iter("{*}Pointer")]


def test_an_error_says_element_value_and_what_is_allowed():
    assert error(DEEP).findtext("{*}Description") == f"{DEEP}: '-1'; expected: 0 or more"
    assert pointers(error(DEEP)) == [["42A"], ["67A"], ["2", "68A"], ["23A"], ["65A", "128"]]


def test_a_refused_declaration_says_when():
    (declaration,) = answered("refused").iter("{*}Declaration")
    assert texts(declaration) == [("FunctionalReferenceID", "LRN-7"), ("DateTimeString", "20240301093005Z")]


@pytest.mark.parametrize(
    ("value", "declaration", "code"), [("'-1'", "D1", "VALUE"), ("empty", "D1", "MISSING"), ("empty", None, "MESSAGE")]
)
def test_an_error_has_a_code_for_what_is_wrong(value, declaration, code):
    assert error(DEEP, value, declaration).findtext("{*}ValidationCode") == code


@pytest.mark.parametrize(
    ("element", "sections"),
    [
        (
            "Declaration/Classification[IdentificationTypeCode='TSP' or IdentificationTypeCode='HS']/ID",
            [["42A"], ["21A", "145"]],
        ),
        ("Declaration[3]/GoodsShipment/Importer/ID", [["3", "42A"], ["67A"], ["74A", "R038"]]),
        ("Declaration/FunctionCode", [["42A", "017"]]),
        ("Declaration/Unheard/ID", [["42A"]]),
        ("items[0].hs_code", []),
        ("item 1: MOA+40, element 1.2", []),
        ("message", []),
        ("ID", []),
    ],
)
def test_a_pointer_leads_as_far_as_elements_have_numbers(element, sections):
    assert pointers(error(element)) == sections


@pytest.mark.parametrize("path", [path for mapped in MAPPED for path in mapped.paths])
def test_every_element_that_is_read_has_a_tag(path):
    last = pointers(error(f"Declaration/{path.replace(ITEM, f'{ITEM}[1]', 1)}"))[-1]
    assert len(last) >= 2
    assert last[-1] in answers._TAGS.values()


def test_an_error_longer_than_the_data_model_allows_is_cut():
    text = error("x" * 600).findtext("{*}Description")
    assert text == "x" * 509 + "..."


def test_characters_that_xml_cannot_hold_are_replaced():
    assert (
        texts(answered(reference="a\x00\x1f\ud800\ufffe\tb\U0001f4e6"))[-1][1]
        == "a\ufffd\ufffd\ufffd\ufffd\tb\U0001f4e6"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"message_id": "N" * 36}, "has 36 characters; allowed: 1 to 35"),
        ({"message_id": ""}, "has 0 characters; allowed: 1 to 35"),
        ({"reference": "x" * 36}, r"reference 'xxx.* has 36 characters"),
        ({"statuses": (Status("HELD"),)}, "status 'HELD' has 4 characters; allowed: 1 to 3"),
        ({"statements": (Statement("x" * 18, ""),)}, "has 18 characters; allowed: 1 to 17"),
        ({"issued_at": datetime(2024, 3, 1)}, "has no zone"),
    ],
)
def test_what_xml_does_not_hold_is_refused(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        answered(**arguments)

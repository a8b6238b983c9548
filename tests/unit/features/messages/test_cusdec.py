"""CUSDEC: which segments become which columns, in the item and in the header, and what is refused."""

import pytest
from polars.testing import assert_frame_equal

from features.messages import cusdec, read
from features.messages.judging import Read
from tests.support import messages
from tests.support.messages import ACCEPTED_AT, declaration

MESSAGE = messages.in_edifact(declaration()).decode()


def changed(*pairs: tuple[str, str]) -> str:
    """The message with other segments, and with the number of segments that it then has."""
    text = MESSAGE
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    head, _, tail = text.partition("UNT+")
    segments = head.partition("UNH+")[2].count("'\n") + 1
    return f"{head}UNT+{segments}{tail[tail.index('+') :]}"


def parsed(content: str) -> Read:
    return read(content.encode(), "application/edifact", ACCEPTED_AT)


def told(content: str) -> list[str]:
    return [str(each) for each in parsed(content).refusals]


def row(content: str) -> dict:
    found = parsed(content)
    assert found.refusals == ()
    return found.rows.row(0, named=True)


@pytest.mark.parametrize(
    ("before", "after", "column", "expected"),
    [
        ("TDT+11++1'", "TDT+20++4'\nTDT+11++1'", "transport_mode", "1"),
        ("TDT+11++1'", "TDT+20++4'", "transport_mode", "4"),
        ("NAD+DT", "NAD+CB", "declarant_id", "BR1"),
        ("NAD+SE+SE1'", "NAD+SU+SU1'", "seller_id", "SU1"),
        ("NAD+SE+SE1'\n", "", "seller_id", None),
        ("GIS+11:112'", "GIS+11:112'\nNAD+SE+OWN'", "seller_id", "OWN"),
        ("LOC+27+CO'", "LOC+27+CO::5'\nLOC+35+CL::5'", "departure_country", "CL"),
        ("MEA++AAF+", "MEA++AAA+", "net_mass_kg", 100.25),
        ("MEA++AAF+KGM:100.25'", "MEA++AAA+KGM:7'\nMEA++AAF+KGM:100.25'", "net_mass_kg", 100.25),
        ("RFF+BM:", "RFF+MB:M1'\nRFF+BH:", "transport_document_id", "BL-99"),
        ("RFF+BM:BL-99", "RFF+MWB:M1", "transport_document_id", "M1"),
        ("EQD+CN+MSCU1234565'", "EQD+CN+MSCU1234565'\nEQD+CN+TGHU7654321'", "container_id", None),
        ("TAX+1++++:::27.5'", "TAX+1++++:::27.5'\nTAX+1++++:::0.25'", "tax_rate_pct", 27.75),
        (
            "FTX+AAA+++",
            "FTX+AAA+++One:Two'\nFTX+AAA+++",
            "goods_description",
            "One Two Roasted coffee, not decaffeinated",
        ),
        ("MEA+AAR++NAR:12", "MEA+AAR++NAR:", "quantity", None),
    ],
)
def test_what_a_segment_says_is_what_the_column_has(before, after, column, expected):
    assert row(changed((before, after)))[column] == expected


def test_the_header_stands_for_items_that_say_nothing():
    content = changed(
        ("+4000:117'", "'"), ("GIS+11:112'\n", ""), ("LOC+22", "CST++5171:117+200:116'\nGIS+3:112'\nLOC+22")
    )
    found = row(content)
    assert (found["procedure"], found["import_type"], found["tax_type"]) == ("5171", "3", "100")


def test_a_decimal_comma_is_read_where_una_says_so():
    comma = changed(("100.25", "100,25"), ("27.5", "27,5"), ("1500.5", "1500,5"))
    assert {text.partition(";")[0] for text in told(comma)} >= {"item 1: MEA++AAF, element 3.2: '100,25'"}
    head = "UNA:+,? '"
    assert_frame_equal(parsed(head + comma).rows, parsed(MESSAGE).rows)
    assert {text.partition(":")[0] for text in told(head + MESSAGE)} == {"item 1"}


def test_several_messages_are_told_apart():
    other = declaration({"currency": "EURO"}, declaration_id="B")
    found = parsed(messages.in_edifact(declaration(), other).decode())
    assert found.rows["declaration_id"].to_list() == ["LRN-7"]
    assert [(each.declaration, each.item, each.element) for each in found.refusals] == [
        ("B", 1, "message 2: item 1: MOA+40, element 1.3")
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("BGM+929", "BGM+830", "BGM, element 1.1: '830'; expected: 929 (declaration for importation)"),
        ("LRN-7+9'", "LRN-7+1'", "BGM, element 3.1: '1'; expected: 9 (original) or 5 (replaces all that was declared)"),
        ("LRN-7+9'", "LRN-7'", "BGM, element 3.1: empty; expected: 9 (original) or 5 (replaces all that was declared)"),
        ("LRN-7+9'", "+9'", "BGM, element 2.1: empty; expected: a value"),
        ("CNT+5:1", "CNT+5:2", "CNT+5, element 1.2: '2'; expected: 1, as many as there are"),
        ("LOC+22+GB000060'\n", "", "LOC+22, element 2.1: empty; expected: a value"),
        ("NAD+IM+IM1'", "NAD+IM+IM1'\nNAD+IM+IM2'", "NAD+IM, element 2.1: given 2 times; expected: once"),
    ],
)
def test_what_is_wrong_with_the_declaration_refuses_all_of_it(before, after, expected):
    found = parsed(changed((before, after)))
    assert [str(each) for each in found.refusals] == [expected]
    assert found.refusals[0].item is None
    assert found.rows.is_empty()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("+4000:117'", "'", "item 1: CST++:117, element 2.1: empty; expected: a value"),
        ("MEA++AAF+KGM", "MEA++AAF+TNE", "item 1: MEA++AAF, element 3.2: unit 'TNE'; expected: KGM (kilograms)"),
        ("MEA++AAF+KGM:", "MEA++AAF+:", "item 1: MEA++AAF, element 3.2: unit empty; expected: KGM (kilograms)"),
        ("LOC+27+CO'", "LOC+27+CO'\nLOC+27+PE'", "item 1: LOC+27, element 2.1: given 2 times; expected: once"),
        (
            "TAX+1++++:::27.5'",
            "TAX+1'\nTAX+1++++:::27.5'",
            "item 1: TAX+1, element 5.4: 1 rates for 2 duties; expected: a rate for each duty",
        ),
        ("MOA+40:1500.5:USD", "MOA+40:1500.5", "item 1: MOA+40, element 1.3: empty; expected: a value"),
    ],
)
def test_what_is_wrong_with_an_item_is_told_by_its_segment(before, after, expected):
    found = parsed(changed((before, after)))
    assert [str(each) for each in found.refusals] == [expected]
    assert found.refusals[0].item == 1


@pytest.mark.parametrize(
    "kind",
    [
        "CUSRES:D:96B:UN",
        "CUSDEC:D:96A:UN",
        "CUSDEC:S:96B:UN",
        "CUSDEC:D:95B:UN",
        "CUSDEC:D:96B:XX",
        "CUSDEC",
        "CUSDEC:D:x:UN",
    ],
)
def test_another_message_or_an_earlier_release_is_refused(kind):
    (refusal,) = told(changed(("CUSDEC:D:96B:UN", kind)))
    assert refusal.startswith("UNH, element 2: '")
    assert refusal.endswith("expected: CUSDEC:D:96B:UN, or a later release")


@pytest.mark.parametrize("release", ["97A", "99B", "00A", "04A", "25A"])
def test_later_releases_are_read(release):
    assert told(changed(("96B", release))) == []


@pytest.mark.parametrize(
    ("before", "after"), [("UNS+D'\n", ""), ("UNS+S'\n", ""), ("UNS+S", "UNS+D"), ("UNS+D", "UNS")]
)
def test_the_sections_must_be_marked(before, after):
    (refusal,) = told(changed((before, after)))
    assert refusal.startswith("UNS: ")


def test_a_declaration_without_items_is_refused():
    begin, end = MESSAGE.index("CST+"), MESSAGE.index("UNS+S")
    assert "CST: empty; expected: at least one goods item" in told(changed((MESSAGE[begin:end], "")))


def test_more_items_than_an_interchange_may_have_are_refused():
    (refusal,) = told(changed(("UNS+S'", "CST'\n" * 10_000 + "UNS+S'")))
    assert refusal.endswith("10,001 goods items; expected: at most 10,000 in all")


def test_no_more_than_a_thousand_messages_are_read():
    many = [declaration(declaration_id=f"D{number}") for number in range(1001)]
    (refusal,) = told(messages.in_edifact(*many).decode())
    assert refusal == "UNZ, element 1 (number of messages): 1,001 declarations; expected: 1 to 1,000"


def test_each_column_is_mapped_once():
    names = [mapped.column for mapped in cusdec.MAPPED]
    assert len(set(names)) == len(names)

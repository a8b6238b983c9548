"""WCO XML: what each path becomes, what is refused of a declaration, and what attacks the parser."""

import re

import pytest
from lxml import etree
from polars.testing import assert_frame_equal

from features.messages import read
from features.messages.judging import Read
from features.messages.wco import METADATA, NAMESPACE
from tests.support import messages
from tests.support.messages import ACCEPTED_AT, declaration

FUNCTIONS = "9 (original) or 5 (replaces all that was declared)"
ITEM = "Declaration/GoodsShipment/GovernmentAgencyGoodsItem"
MESSAGE = messages.in_xml(declaration()).decode()


def parsed(content: str | bytes) -> Read:
    return read(content.encode() if isinstance(content, str) else content, "application/xml", ACCEPTED_AT)


def told(content: str | bytes) -> list[str]:
    return [str(each) for each in parsed(content).refusals]


def changed(*pairs: tuple[str, str]) -> str:
    text = MESSAGE
    for before, after in pairs:
        assert text.count(before) >= 1, before
        text = text.replace(before, after)
    return text


def row(content: str) -> dict:
    found = parsed(content)
    assert found.refusals == ()
    return found.rows.row(0, named=True)


def test_comments_prefixes_and_blanks_make_no_difference():
    spaced = changed(("<ID>IM1</ID>", "<ID> I<!-- x -->M<?y z?>1\n</ID>"))
    prefixed = re.sub(r"<(/?)([A-Z])", r"<\1w:\2", MESSAGE).replace(f'xmlns="{NAMESPACE}"', f'xmlns:w="{NAMESPACE}"')
    for content in (spaced, prefixed, "\ufeff" + MESSAGE):
        assert_frame_equal(parsed(content).rows, messages.rows(declaration()))


def test_a_declaration_may_be_the_root():
    root = etree.fromstring(MESSAGE.encode()).find(f"{{{NAMESPACE}}}Declaration")
    assert root is not None
    assert_frame_equal(parsed(etree.tostring(root)).rows, messages.rows(declaration()))


def test_several_declarations_are_told_apart():
    root = etree.fromstring(MESSAGE.encode())
    other = etree.fromstring(messages.in_xml(declaration({"hs_code": "1"}, declaration_id="B")))
    root.append(other[1])
    found = parsed(etree.tostring(root))
    assert found.rows["declaration_id"].to_list() == ["LRN-7"]
    assert {(each.declaration, each.item) for each in found.refusals} == {("B", 1)}
    assert found.refusals[0].element.startswith("Declaration[2]/GoodsShipment/GovernmentAgencyGoodsItem[1]/")


@pytest.mark.parametrize(
    ("before", "after", "column", "expected"),
    [
        ("<PreviousCode>00</PreviousCode>", "", "procedure", "40"),
        ("<IdentificationTypeCode>TSP<", "<IdentificationTypeCode>HS<", "hs_code", "0901210000"),
        ("<IdentificationTypeCode>TRC<", "<IdentificationTypeCode>TRA<", "hs_code", "09012100"),
        ("<TypeCode>705</TypeCode>", "<TypeCode>740</TypeCode>", "transport_document_id", "BL-99"),
        ("<TypeCode>705</TypeCode>", "<TypeCode>355</TypeCode>", "transport_document_id", None),
        ("<TypeCode>705</TypeCode>", "", "transport_document_id", None),
        ("<Seller><ID>SE1</ID></Seller>", "", "seller_id", None),
        ("<Declarant>", "<Exporter><ID>EX1</ID></Exporter><Declarant>", "seller_id", "SE1"),
        ("<SequenceNumeric>1<", "<SequenceNumeric>0012<", "item_number", 12),
    ],
)
def test_what_a_path_says_is_what_the_column_has(before, after, column, expected):
    assert row(changed((before, after)))[column] == expected


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        ("<TransactionNatureCode>11<", "<TransactionNatureCode> <", "TransactionNatureCode"),
        ("<CurrentCode>40<", "<CurrentCode><", "GovernmentProcedure[1]/CurrentCode"),
        (
            "<IdentificationTypeCode>TSP<",
            "<IdentificationTypeCode>GN<",
            "Commodity/Classification[IdentificationTypeCode='TSP' or IdentificationTypeCode='HS']/ID",
        ),
        ("<SequenceNumeric>1</SequenceNumeric>", "", "SequenceNumeric"),
    ],
)
def test_what_is_not_there_is_refused_by_its_path(before, after, missing):
    assert told(changed((before, after))) == [f"{ITEM}[1]/{missing}: empty; expected: a value"]


def test_the_item_goes_before_the_shipment():
    both = changed(
        (
            "<ExportCountry><ID>BR</ID></ExportCountry>",
            "<ExportCountry><ID>BR</ID></ExportCountry><TransactionNatureCode>2</TransactionNatureCode>",
        ),
        ("<TransactionNatureCode>11</TransactionNatureCode>", "<ExportCountry><ID>CL</ID></ExportCountry>"),
    )
    found = row(both)
    assert (found["departure_country"], found["import_type"]) == ("CL", "2")


def test_preferential_origin_counts_where_there_is_no_other():
    other = "<Origin><CountryCode>DE</CountryCode><TypeCode>2</TypeCode></Origin>"
    assert row(changed(("<Origin>", f"{other}<Origin>")))["origin_country"] == "CO"
    alone = MESSAGE[: MESSAGE.index("<Origin>")] + other + MESSAGE[MESSAGE.index("</Origin>") + len("</Origin>") :]
    assert row(alone)["origin_country"] == "DE"


def test_rates_add_up_and_each_duty_needs_one():
    with_rate = "<DutyTaxFee><TaxRateNumeric>0.25</TaxRateNumeric></DutyTaxFee>"
    assert row(changed(("<DutyTaxFee>", f"{with_rate}<DutyTaxFee>")))["tax_rate_pct"] == 27.75
    assert told(changed(("<DutyTaxFee>", "<DutyTaxFee><TypeCode>B00</TypeCode></DutyTaxFee><DutyTaxFee>"))) == [
        f"{ITEM}[1]/Commodity/DutyTaxFee/TaxRateNumeric: 1 rates for 2 duties; expected: a rate for each duty"
    ]


PRICE = '<Commodity><InvoiceLine><ItemChargeAmount currencyID="EUR">70</ItemChargeAmount></InvoiceLine>'
NO_VALUE = [
    (
        '<CustomsValueAmount currencyID="USD">1500.5</CustomsValueAmount>',
        "<CustomsValuation><MethodCode>1</MethodCode></CustomsValuation>",
    ),
    ("<Commodity>", PRICE),
]


def test_the_price_is_the_value_only_where_nothing_is_added_or_deducted():
    assert (row(changed(*NO_VALUE))["item_value"], row(changed(*NO_VALUE))["currency"]) == (70.0, "EUR")
    missing = [
        f"{ITEM}[1]/CustomsValueAmount: empty; expected: a value",
        f"{ITEM}[1]/CustomsValueAmount/@currencyID: empty; expected: a value",
    ]
    assert told(changed(*NO_VALUE, ("<MethodCode>1<", "<MethodCode>4<"))) == missing
    added = "<MethodCode>1</MethodCode><ChargeDeduction/>"
    assert told(changed(*NO_VALUE, ("<MethodCode>1</MethodCode>", added))) == missing
    freight = "<CustomsValuation><FreightChargeAmount>5</FreightChargeAmount></CustomsValuation></GoodsShipment>"
    assert told(changed(*NO_VALUE, ("</GoodsShipment>", freight))) == missing
    assert row(changed(NO_VALUE[1]))["item_value"] == 1500.5


def test_masses_are_in_kilograms():
    assert told(changed(('unitCode="KGM"', 'unitCode="LBR"'))) == [
        f"{ITEM}[1]/Commodity/GoodsMeasure/GrossMassMeasure/@unitCode: 'LBR'; expected: KGM (kilograms)"
    ]


def test_an_element_that_belongs_there_once_is_refused_twice():
    twice = "<NetNetWeightMeasure>1</NetNetWeightMeasure>"
    assert told(changed(("<GoodsMeasure>", f"<GoodsMeasure>{twice}"))) == [
        f"{ITEM}[1]/Commodity/GoodsMeasure/NetNetWeightMeasure: given 2 times; expected: once"
    ]
    assert told(changed(("<Declarant>", "<Declarant><ID>B2</ID>"))) == [
        "Declaration/Declarant/ID: given 2 times; expected: once"
    ]


EQUIPMENT = "<TransportEquipment><SequenceNumeric>1</SequenceNumeric><ID>MSCU1234565</ID></TransportEquipment>"


def at_shipment(*identifications: str) -> str:
    equipment = "".join(f"<TransportEquipment><ID>{each}</ID></TransportEquipment>" for each in identifications)
    return changed((EQUIPMENT, ""), ("</GoodsShipment>", f"<Consignment>{equipment}</Consignment></GoodsShipment>"))


def test_a_container_of_the_shipment_is_the_items_only_if_there_is_no_other():
    assert row(at_shipment("TGHU7654321"))["container_id"] == "TGHU7654321"
    assert row(at_shipment("TGHU7654321", "MSCU1234565"))["container_id"] is None


def test_equipment_that_is_no_container_is_left_out_with_a_remark():
    found = parsed(at_shipment("AB12 CDE"))
    assert found.rows["container_id"].to_list() == [None]
    assert [(each.declaration, each.item, str(each)) for each in found.remarks] == [
        (
            "LRN-7",
            None,
            "Declaration/GoodsShipment/Consignment/TransportEquipment/ID: 'AB12 CDE'; "
            "expected: a container's number, as MSCU1234565",
        )
    ]
    found = parsed(changed((EQUIPMENT, f"<TransportEquipment><ID>T-1</ID></TransportEquipment>{EQUIPMENT}")))
    assert found.rows["container_id"].to_list() == ["MSCU1234565"]
    assert [(each.item, each.value) for each in found.remarks] == [(1, "'T-1'")]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            {"FunctionCode": "13"},
            "Declaration/FunctionCode: '13'; expected: 9 (original) or 5 (replaces all that was declared)",
        ),
        (
            {"FunctionCode": None},
            "Declaration/FunctionCode: empty; expected: 9 (original) or 5 (replaces all that was declared)",
        ),
        ({"TypeCode": "EXA"}, "Declaration/TypeCode: 'EXA'; expected: an import declaration"),
        ({"GoodsItemQuantity": "2"}, "Declaration/GoodsItemQuantity: '2'; expected: 1, as many as there are"),
        ({"FunctionalReferenceID": None}, "Declaration/FunctionalReferenceID: empty; expected: a value"),
        (
            {"BorderTransportMeans/ModeCode": "99"},
            "Declaration/BorderTransportMeans/ModeCode: '99'; expected: one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        ),
    ],
)
def test_what_is_wrong_with_the_declaration_refuses_all_of_it(header, expected):
    found = parsed(messages.in_xml(declaration(), **header))
    assert [str(each) for each in found.refusals] == [expected]
    assert found.refusals[0].item is None
    assert found.rows.is_empty()


@pytest.mark.parametrize("header", [{"FunctionCode": "5"}, {"TypeCode": None}, {"GoodsItemQuantity": None}])
def test_a_replacement_and_what_may_be_left_out_are_no_faults(header):
    assert told(messages.in_xml(declaration(), **header)) == []


def test_a_declaration_without_items_is_refused():
    begin, end = MESSAGE.index("<GovernmentAgencyGoodsItem>"), MESSAGE.index("</GovernmentAgencyGoodsItem>")
    content = MESSAGE[:begin] + MESSAGE[end + len("</GovernmentAgencyGoodsItem>") :]
    assert f"{ITEM}: empty; expected: at least one goods item" in told(content)


def test_another_version_of_the_data_model_is_refused():
    assert told(changed((">3.6<", ">4.0<"))) == ["MetaData/WCODataModelVersionCode: '4.0'; expected: 3.6"]


@pytest.mark.parametrize(
    "content",
    [
        f'<Response xmlns="{NAMESPACE}"/>',
        "<MetaData/>",
        f'<MetaData xmlns="{NAMESPACE}"/>',
        f'<Declaration xmlns="{METADATA}"/>',
        '<Declaration xmlns="urn:wco:datamodel:WCO:DEC-DMS:3"/>',
    ],
)
def test_another_root_is_refused_by_its_name(content):
    (refusal,) = told(content)
    assert refusal.startswith(f"message: '{content[1:].split()[0].split('/')[0]}' of ")


def test_metadata_without_a_declaration_is_refused():
    assert told(f'<MetaData xmlns="{METADATA}"/>') == ["MetaData/Declaration: 0 declarations; expected: 1 to 1,000"]


def with_type(inside: str, text: str) -> str:
    body = MESSAGE.partition("?>")[2]
    return f"<!DOCTYPE x [{inside}]>{body.replace('Roasted coffee, not decaffeinated', text)}"


BOMB = '<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "content",
    [
        with_type(BOMB, "&j;"),
        with_type('<!ENTITY a SYSTEM "file:///etc/passwd">', "&a;"),
        with_type('<!ENTITY a SYSTEM "http://127.0.0.1:9/x">', "&a;"),
        with_type('<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;', "x"),
        with_type("", "x"),
        MESSAGE.partition("?>")[2].replace("<md:MetaData", '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x"><md:MetaData', 1),
    ],
    ids=["billion laughs", "file", "network", "parameter entity", "empty", "external subset"],
)
def test_document_types_are_refused_and_nothing_of_them_is_read(content):
    (refusal,) = told(content)
    assert refusal == "message: a document type (DOCTYPE); expected: XML without one"


def test_entities_in_attributes_cannot_grow():
    content = with_type(BOMB, "x").replace('currencyID="USD"', 'currencyID="&j;"')
    (refusal,) = told(content)
    assert refusal.startswith("message: ")
    assert "aaaa" not in refusal


def test_an_entity_that_nobody_defined_is_refused():
    assert told(changed(("coffee", "&coffee;")))[0].endswith("expected: well-formed XML")


def test_deep_trees_are_refused():
    assert told(changed(("Roasted", "<x>" * 100_000 + "</x>" * 100_000)))[0].startswith("message: ")


def test_more_items_than_a_message_may_have_are_refused():
    item = "<GovernmentAgencyGoodsItem/>"
    assert told(changed(("</GoodsShipment>", item * 10_000 + "</GoodsShipment>"))) == [
        "MetaData/Declaration: 10,001 goods items; expected: at most 10,000 in all"
    ]


def test_texts_of_megabytes_are_refused():
    (refusal,) = told(changed(("Roasted", "x" * 9_000_000)))
    assert refusal.startswith(f"{ITEM}[1]/Commodity/Description: 'xxx")
    assert len(refusal) < 200


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp037"])
def test_other_encodings_are_refused(encoding):
    body = MESSAGE.partition("?>")[2].replace("Roasted", "R\u00f6sted")
    for declared in ("", f"<?xml version='1.0' encoding='{encoding}'?>"):
        (refusal,) = told((declared + body).encode(encoding))
        assert refusal.startswith("message: ")


@pytest.mark.parametrize("encoding", ["utf-7", "UTF-16", "iso-8859-1", "x' ", ""])
def test_another_encoding_is_refused_even_if_the_bytes_could_be_it(encoding):
    content = MESSAGE.replace("encoding='UTF-8'", f'encoding = "{encoding}"')
    assert content != MESSAGE
    (refusal,) = told(content)
    assert refusal.startswith("message: ")


@pytest.mark.parametrize("bad", ["\x00", "\x01", "\ufffe", "&#0;", "&#xD800;"])
def test_characters_that_xml_does_not_have_are_refused(bad):
    assert told(changed(("Roasted", f"Ro{bad}asted")))[0].endswith("expected: well-formed XML")


def test_bytes_that_are_not_of_the_encoding_are_refused():
    assert told(MESSAGE.encode().replace(b"Roasted", b"R\xf6sted"))[0].startswith("message: ")

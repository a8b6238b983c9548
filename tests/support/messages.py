"""Messages about small declarations, in each of the forms, and the declarations that they are about."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
from lxml import etree

from features import contract
from features.messages.wco import METADATA, NAMESPACE

ACCEPTED_AT = datetime(2024, 3, 1, 9, 30)
DECLARATION: dict[str, Any] = {
    "declaration_id": "LRN-7",
    "office": "GB000060",
    "transport_mode": "1",
    "declarant_id": "BR1",
    "importer_id": "IM1",
    "seller_id": "SE1",
    "departure_country": "BR",
    "transport_document_id": "BL-99",
}
ITEM: dict[str, Any] = {
    "item_number": 1,
    "procedure": "4000",
    "import_type": "11",
    "import_use": None,
    "payment_type": "E",
    "courier_id": None,
    "hs_code": "0901210000",
    "origin_country": "CO",
    "tax_rate_pct": 27.5,
    "tax_type": "100",
    "origin_marking": None,
    "net_mass_kg": 100.25,
    "item_value": 1500.5,
    "currency": "USD",
    "goods_description": "Roasted coffee, not decaffeinated",
    "quantity": 12.0,
    "quantity_unit": "NAR",
    "gross_mass_kg": 110.0,
    "container_id": "MSCU1234565",
}


def rows(*declarations: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows that declarations with `items` stand for."""
    told = [
        {name: value for name, value in each.items() if name != "items"} | item
        for each in declarations
        for item in each["items"]
    ]
    at = {"accepted_at": ACCEPTED_AT, "recorded_at": None}
    return pl.DataFrame([row | at for row in told], schema=contract.schema("declarations"))


def declaration(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a declaration with `items`, completed from the example and numbered from 1; with one if none is given."""
    told: list[dict[str, Any]] = [*items] or [{}]
    numbered = [ITEM | {"item_number": number} | item for number, item in enumerate(told, 1)]
    return DECLARATION | changes | {"items": numbered}


def in_json(*declarations: Mapping[str, Any]) -> bytes:
    return json.dumps(declarations[0] if len(declarations) == 1 else declarations).encode()


def in_xml(told: Mapping[str, Any], **header: str | None) -> bytes:
    """Return a declaration as a WCO message; `header` replaces elements of Declaration, None leaves one out."""
    metadata = etree.Element(f"{{{METADATA}}}MetaData", nsmap={"md": METADATA})
    etree.SubElement(metadata, f"{{{METADATA}}}WCODataModelVersionCode").text = "3.6"
    root = etree.SubElement(metadata, f"{{{NAMESPACE}}}Declaration", nsmap={None: NAMESPACE})
    whole = {
        "FunctionCode": "9",
        "FunctionalReferenceID": told["declaration_id"],
        "TypeCode": "IMA",
        "GoodsItemQuantity": str(len(told["items"])),
        "DeclarationOfficeID": told["office"],
        "BorderTransportMeans/ModeCode": told["transport_mode"],
        "Declarant/ID": told["declarant_id"],
        "GoodsShipment/ExportCountry/ID": told["departure_country"],
    }
    for path, text in (whole | header).items():
        _put(root, path, text)
    shipment = root.find(f"{{{NAMESPACE}}}GoodsShipment")
    assert shipment is not None
    for item in told["items"]:
        _put_item(etree.SubElement(shipment, f"{{{NAMESPACE}}}GovernmentAgencyGoodsItem"), item)
    _put(shipment, "Importer/ID", told["importer_id"])
    document = etree.SubElement(shipment, f"{{{NAMESPACE}}}PreviousDocument")
    _put(document, "ID", told["transport_document_id"])
    _put(document, "TypeCode", "705")
    _put(shipment, "Seller/ID", told["seller_id"])
    return etree.tostring(metadata, xml_declaration=True, encoding="UTF-8")


def _put_item(element: etree._Element, item: Mapping[str, Any]) -> None:
    value = _number(item["item_value"])
    _put(element, "CustomsValueAmount", value, currencyID=item["currency"])
    _put(element, "SequenceNumeric", str(item["item_number"]))
    _put(element, "TransactionNatureCode", item["import_type"])
    _put(element, "Commodity/Description", item["goods_description"])
    commodity = element.find(f"{{{NAMESPACE}}}Commodity")
    if commodity is None:
        commodity = etree.SubElement(element, f"{{{NAMESPACE}}}Commodity")
    code = item["hs_code"]
    for kind, digits in (("TSP", code[:8]), ("TRC", code[8:])):
        if digits:
            classification = etree.SubElement(commodity, f"{{{NAMESPACE}}}Classification")
            _put(classification, "ID", digits)
            _put(classification, "IdentificationTypeCode", kind)
    _put(commodity, "DutyTaxFee/DutyRegimeCode", item["tax_type"])
    _put(commodity, "DutyTaxFee/TaxRateNumeric", _number(item["tax_rate_pct"]))
    _put(commodity, "DutyTaxFee/Payment/MethodCode", item["payment_type"])
    _put(commodity, "GoodsMeasure/GrossMassMeasure", _number(item["gross_mass_kg"]), unitCode="KGM")
    _put(commodity, "GoodsMeasure/NetNetWeightMeasure", _number(item["net_mass_kg"]))
    _put(commodity, "GoodsMeasure/TariffQuantity", _number(item["quantity"]), unitCode=item["quantity_unit"])
    if item["container_id"] is not None:
        _put(commodity, "TransportEquipment/SequenceNumeric", "1")
        _put(commodity, "TransportEquipment/ID", item["container_id"])
    _put(element, "GovernmentProcedure/CurrentCode", item["procedure"][:2])
    _put(element, "GovernmentProcedure/PreviousCode", item["procedure"][2:])
    _put(element, "Origin/CountryCode", item["origin_country"])
    _put(element, "Origin/TypeCode", "1")


def _put(parent: etree._Element, path: str, text: str | None, **attributes: str | None) -> None:
    """Put `text` at a path, below the elements of the path that are there already; nothing for None."""
    if text is None:
        return
    *steps, last = path.split("/")
    for step in steps:
        found = parent.find(f"{{{NAMESPACE}}}{step}")
        parent = etree.SubElement(parent, f"{{{NAMESPACE}}}{step}") if found is None else found
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{last}", {k: v for k, v in attributes.items() if v is not None})
    element.text = text


def _number(number: float | None) -> str | None:
    """Return a number with all its digits, and without an exponent."""
    return None if number is None else format(Decimal(repr(number)), "f").removesuffix(".0")


def in_edifact(*declarations: Mapping[str, Any], function: str = "9") -> bytes:
    """Return an interchange with one CUSDEC for each declaration."""
    messages = [_cusdec(str(place), each, function) for place, each in enumerate(declarations, 1)]
    begin, end = "UNB+UNOW:4+BROKER+CUSTOMS+240301:0930+R7'", f"UNZ+{len(messages)}+R7'"
    return "\n".join([begin, *messages, end]).encode()


def _cusdec(number: str, told: Mapping[str, Any], function: str) -> str:
    header = [
        f"UNH+{number}+CUSDEC:D:96B:UN",
        f"BGM+929+{released(told['declaration_id'])}+{function}",
        f"LOC+22+{told['office']}",
        f"LOC+35+{told['departure_country']}",
        f"RFF+BM:{released(told['transport_document_id'])}",
        f"TDT+11++{told['transport_mode']}",
        *(f"NAD+{role}+{released(told[name])}" for role, name in PARTIES.items() if told[name] is not None),
    ]
    containers = {item["container_id"] for item in told["items"]} - {None}
    header += [f"EQD+CN+{container}" for container in containers]
    items = [segment for item in told["items"] for segment in _item(item)]
    body = [*header, "UNS+D", *items, "UNS+S", f"CNT+5:{len(told['items'])}"]
    return "\n".join(f"{segment}'" for segment in [*body, f"UNT+{len(body) + 1}+{number}"])


PARTIES = {"DT": "declarant_id", "IM": "importer_id", "SE": "seller_id"}


def _item(item: Mapping[str, Any]) -> Sequence[str]:
    codes = f"{item['hs_code']}:108+{item['tax_type']}:116+{item['procedure']}:117"
    told = [f"CST+{item['item_number']}+{codes}", f"GIS+{item['import_type']}:112", f"LOC+27+{item['origin_country']}"]
    if item["goods_description"] is not None:
        told.append(f"FTX+AAA+++{released(item['goods_description'])}")
    told.append(f"MEA++AAF+KGM:{_number(item['net_mass_kg'])}")
    if item["gross_mass_kg"] is not None:
        told.append(f"MEA++AAB+KGM:{_number(item['gross_mass_kg'])}")
    if item["quantity"] is not None:
        told.append(f"MEA+AAR++{item['quantity_unit']}:{_number(item['quantity'])}")
    told.append(f"MOA+40:{_number(item['item_value'])}:{item['currency']}")
    return [*told, f"TAX+1++++:::{_number(item['tax_rate_pct'])}"]


def released(text: str) -> str:
    """Return text in which EDIFACT's service characters are released."""
    for sign in "?+:'":
        text = text.replace(sign, f"?{sign}")
    return text

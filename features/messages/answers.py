"""Answers to declarations as notifications in XML: Response of the WCO data model 3.6, as DMS sends them.

Not here: what the answer is, and who may be told of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from features.messages.judging import Refusal
from features.messages.values import EMPTY
from features.messages.wco import ITEM, METADATA, MODEL_VERSION

NAMESPACE: Final = "urn:wco:datamodel:WCO:RES-DMS:2"
TYPES: Final = "urn:wco:datamodel:WCO:Response_DS:DMS:2"  # where the data model has the inside of a date
# The function of the notification, which its users know by these codes.
FUNCTIONS: Final = {"accepted": "01", "refused": "03", "held": "05", "documents": "06", "released": "09"}
LONGEST_TEXT, LONGEST_REFERENCE, LONGEST_CODE, LONGEST_STATUS = 512, 35, 17, 3
MESSAGE, MISSING, VALUE = "MESSAGE", "MISSING", "VALUE"  # what is wrong: the whole, nothing where something has to be
# Of the elements in refusals' paths: the codes of the sections, and the tags of what is in them. WCO's own numbers.
_SECTIONS: Final = {
    "Declaration": "42A",
    "BorderTransportMeans": "15A",
    "Declarant": "57B",
    "Exporter": "57A",
    "GoodsShipment": "67A",
    "Consignment": "28A",
    "Importer": "74A",
    "Seller": "09B",
    "GovernmentAgencyGoodsItem": "68A",
    "AdditionalDocument": "02A",
    "Commodity": "23A",
    "Classification": "21A",
    "DutyTaxFee": "50A",
    "Payment": "94A",
    "GoodsMeasure": "65A",
    "InvoiceLine": "79A",
    "TransportEquipment": "31B",
    "Origin": "92A",
    "ExportCountry": "95B",
    "GovernmentProcedure": "70A",
    "PreviousDocument": "99A",
}
_TAGS: Final = {
    ("Declaration", "FunctionCode"): "017",
    ("Declaration", "FunctionalReferenceID"): "D026",
    ("Declaration", "TypeCode"): "D013",
    ("Declaration", "GoodsItemQuantity"): "228",
    ("Declaration", "DeclarationOfficeID"): "065",
    ("BorderTransportMeans", "ModeCode"): "T022",
    ("Declarant", "ID"): "R123",
    ("Exporter", "ID"): "R032",
    ("GoodsShipment", "TransactionNatureCode"): "103",
    ("Importer", "ID"): "R038",
    ("Seller", "ID"): "R051",
    ("GovernmentAgencyGoodsItem", "CustomsValueAmount"): "108",
    ("GovernmentAgencyGoodsItem", "SequenceNumeric"): "006",
    ("GovernmentAgencyGoodsItem", "TransactionNatureCode"): "103",
    ("AdditionalDocument", "ID"): "D005",
    ("Commodity", "Description"): "137",
    ("Classification", "ID"): "145",
    ("DutyTaxFee", "DutyRegimeCode"): "164",
    ("DutyTaxFee", "TaxRateNumeric"): "115",
    ("Payment", "MethodCode"): "107",
    ("GoodsMeasure", "GrossMassMeasure"): "126",
    ("GoodsMeasure", "NetNetWeightMeasure"): "128",
    ("GoodsMeasure", "TariffQuantity"): "130",
    ("InvoiceLine", "ItemChargeAmount"): "112",
    ("TransportEquipment", "ID"): "159",
    ("Origin", "CountryCode"): "063",
    ("ExportCountry", "ID"): "062",
    ("GovernmentProcedure", "CurrentCode"): "166",
    ("GovernmentProcedure", "PreviousCode"): "161",
    ("PreviousDocument", "ID"): "D018",
}
_STEP = re.compile(r"([A-Z]\w*)(?:\[(\d+)\])?")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Status:
    """A code of at most 3 characters: how a declaration stands, or its `item` of that number."""

    code: str
    item: int | None = None


@dataclass(frozen=True)
class Statement:
    """Additional information on a declaration, or on its `item`: a code of at most 17 characters, and a text."""

    code: str
    text: str
    item: int | None = None


@dataclass(frozen=True)
class Notification:
    """Holds what is told of a declaration, by its `reference`; without one it is about a message as a whole.

    `function` is one of FUNCTIONS, `message_id` names the notification, and `issued_at` has a zone. `version` counts
    the declaration's versions. Raises ValueError for another function, for codes and references that are longer than
    XML has room for (LONGEST_CODE, LONGEST_STATUS, LONGEST_REFERENCE), and for a missing zone.

    >>> Notification("D1", "granted", "N1", datetime(2024, 3, 1, tzinfo=UTC))
    Traceback (most recent call last):
    ...
    ValueError: an answer cannot be 'granted'; allowed: accepted, refused, held, documents, released
    """

    reference: str | None
    function: str
    message_id: str
    issued_at: datetime
    version: int | None = None
    statuses: tuple[Status, ...] = ()
    statements: tuple[Statement, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise ValueError(f"an answer cannot be {self.function!r}; allowed: {', '.join(FUNCTIONS)}")
        bounded = [("reference", each, LONGEST_REFERENCE) for each in (self.reference, self.message_id)]
        bounded += [("status", each.code, LONGEST_STATUS) for each in self.statuses]
        bounded += [("statement", each.code, LONGEST_CODE) for each in self.statements]
        for what, text, longest in bounded:
            if text is not None and not 1 <= len(text) <= longest:
                raise ValueError(f"{what} {text!r} has {len(text)} characters; allowed: 1 to {longest}")
        if self.issued_at.tzinfo is None:
            raise ValueError(f"issued_at {self.issued_at} has no zone; allowed: an instant with one")


def written(notifications: Iterable[Notification]) -> bytes:
    """Return a message in UTF-8 with a Response for each of the notifications, in their order.

    Texts of more than 512 characters are cut, and characters that XML cannot hold are replaced (U+FFFD).
    """
    message = etree.Element(f"{{{METADATA}}}MetaData", nsmap={"md": METADATA})
    _add(message, "WCODataModelVersionCode", MODEL_VERSION)
    _add(message, "WCOTypeName", "RES")
    for each in notifications:
        _respond(etree.SubElement(message, f"{{{NAMESPACE}}}Response", nsmap={None: NAMESPACE}), each)
    return etree.tostring(message, xml_declaration=True, encoding="UTF-8")


def _respond(response: etree._Element, told: Notification) -> None:
    _add(response, "FunctionCode", FUNCTIONS[told.function])
    _add(response, "FunctionalReferenceID", told.message_id)
    _add_moment(response, "IssueDateTime", told.issued_at)
    for statement in told.statements:
        information = _add(response, "AdditionalInformation")
        _add(information, "StatementCode", statement.code)
        _add(information, "StatementDescription", statement.text)
        _point_to_item(information, statement.item)
    for refusal in told.refusals:
        error = _add(response, "Error")
        _add(error, "Description", str(refusal))
        _add(error, "ValidationCode", _validation_code(refusal))
        _point(error, refusal.element)
    for status in told.statuses:
        element = _add(response, "Status")
        _add(element, "NameCode", status.code)
        _point_to_item(element, status.item)
    declaration = _add(response, "Declaration")
    if told.reference is not None:
        _add(declaration, "FunctionalReferenceID", told.reference)
    if told.function == "refused":
        _add_moment(declaration, "RejectionDateTime", told.issued_at)
    if told.version is not None:
        _add(declaration, "VersionID", str(told.version))


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    if text is not None:
        cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."
        element.text = _NOT_IN_XML.sub("\ufffd", cut)
    return element


def _add_moment(parent: etree._Element, name: str, at: datetime) -> None:
    moment = etree.SubElement(_add(parent, name), f"{{{TYPES}}}DateTimeString", formatCode="304", nsmap={None: TYPES})
    moment.text = at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def _validation_code(refusal: Refusal) -> str:
    if refusal.declaration is None:
        return MESSAGE
    return MISSING if refusal.value == EMPTY else VALUE


def _point_to_item(element: etree._Element, item: int | None) -> None:
    if item is not None:
        _point(element, f"Declaration/{ITEM}[{item}]")


def _point(element: etree._Element, path: str) -> None:
    """Point to the sections and the tag that a path leads to, as far as they have numbers; nowhere for other forms."""
    section = ""
    for step in re.sub(r"\[[^]0-9][^]]*\]", "", path).split("/"):
        found = _STEP.fullmatch(step)
        if found is None:
            return
        if tag := _TAGS.get((section, found[1])):
            _add(element[-1], "TagID", tag)
        if (section := found[1]) not in _SECTIONS:
            return
        pointer = _add(element, "Pointer")
        if found[2]:
            _add(pointer, "SequenceNumeric", found[2])
        _add(pointer, "DocumentSectionCode", _SECTIONS[section])

"""Answers to declarations as notifications in XML: Response of the WCO data model 3.6, as DMS sends them.

Not here: what the answer is, and whether it may be told.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from features.messages.judging import Refusal
from features.messages.wco import METADATA, MODEL_VERSION

NAMESPACE: Final = "urn:wco:datamodel:WCO:RES-DMS:2"
TYPES: Final = "urn:wco:datamodel:WCO:Response_DS:DMS:2"  # where the data model has the inside of a date
# The function of the notification, which its users know by these codes.
FUNCTIONS: Final = {"accepted": "01", "refused": "03", "held": "05", "documents": "06", "released": "09"}
LONGEST_TEXT, LONGEST_REFERENCE = 512, 35
# Of the elements in refusals' paths: the code of the section or, for the last, the tag. WCO's own numbers.
_SECTIONS: Final = {
    "Declaration": "42A",
    "GoodsShipment": "67A",
    "GovernmentAgencyGoodsItem": "68A",
    "Commodity": "23A",
    "Classification": "21A",
    "DutyTaxFee": "50A",
    "Payment": "94A",
    "GoodsMeasure": "65A",
    "InvoiceLine": "79A",
    "Origin": "92A",
    "ExportCountry": "95B",
    "GovernmentProcedure": "70A",
    "PreviousDocument": "99A",
}
_STEP = re.compile(r"([A-Z]\w*)(?:\[(\d+)\])?")


def answer(
    reference: str,
    function: str,
    *,
    message_id: str,
    issued_at: datetime,
    to_present: Sequence[str] = (),
    refusals: Sequence[Refusal] = (),
) -> bytes:
    """Return the notification on declaration `reference` as XML in UTF-8.

    `function` is one of FUNCTIONS; `message_id` names this notification; `issued_at` has a zone. `to_present` says what
    is asked of the declarant, `refusals` what was wrong. Texts of more than 512 characters are cut. Raises ValueError
    for another function, for references of more than 35 characters, which XML does not hold, and for a missing zone.

    >>> answer("D1", "granted", message_id="N1", issued_at=datetime(2024, 3, 1, tzinfo=UTC))
    Traceback (most recent call last):
    ...
    ValueError: an answer cannot be 'granted'; allowed: accepted, refused, held, documents, released
    """
    if function not in FUNCTIONS:
        raise ValueError(f"an answer cannot be {function!r}; allowed: {', '.join(FUNCTIONS)}")
    for each in (reference, message_id):
        if not 1 <= len(each) <= LONGEST_REFERENCE:
            raise ValueError(f"reference {each!r} has {len(each)} characters; allowed: 1 to {LONGEST_REFERENCE}")
    if issued_at.tzinfo is None:
        raise ValueError(f"issued_at {issued_at} has no zone; allowed: an instant with one")
    told = etree.Element(f"{{{METADATA}}}MetaData", nsmap={"md": METADATA})
    _add(told, "WCODataModelVersionCode", MODEL_VERSION)
    _add(told, "WCOTypeName", "RES")
    response = etree.SubElement(told, f"{{{NAMESPACE}}}Response", nsmap={None: NAMESPACE})
    _add(response, "FunctionCode", FUNCTIONS[function])
    _add(response, "FunctionalReferenceID", message_id)
    issued = etree.SubElement(response, f"{{{NAMESPACE}}}IssueDateTime")
    moment = etree.SubElement(issued, f"{{{TYPES}}}DateTimeString", formatCode="304", nsmap={None: TYPES})
    moment.text = issued_at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
    for text in to_present:
        _add(etree.SubElement(response, f"{{{NAMESPACE}}}AdditionalInformation"), "StatementDescription", _cut(text))
    for refusal in refusals:
        error = etree.SubElement(response, f"{{{NAMESPACE}}}Error")
        _add(error, "Description", _cut(str(refusal)))
        _point(error, refusal.element)
    _add(etree.SubElement(response, f"{{{NAMESPACE}}}Declaration"), "FunctionalReferenceID", reference)
    return etree.tostring(told, xml_declaration=True, encoding="UTF-8")


def _add(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    element.text = text
    return element


def _point(error: etree._Element, path: str) -> None:
    """Point to the sections of the declaration that lead to an element; there are none for a path of another form."""
    for step in re.sub(r"\[[^]0-9][^]]*\]", "", path).split("/"):
        found = _STEP.fullmatch(step)
        if found is None or found[1] not in _SECTIONS:
            return
        pointer = etree.SubElement(error, f"{{{NAMESPACE}}}Pointer")
        if found[2]:
            _add(pointer, "SequenceNumeric", found[2])
        _add(pointer, "DocumentSectionCode", _SECTIONS[found[1]])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."

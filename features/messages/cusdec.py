"""CUSDEC of UN/EDIFACT D.96B or later: which segment becomes which column of the contract, and how messages are read.

National guides use this message differently. What is read here is the table `MAPPED`; other segments are not read.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from features import contract
from features.messages import edifact
from features.messages.edifact import Message, Segment
from features.messages.told import Cell, Declaration, Fault, Item, MessageRefused, merged, refuse_too_many
from features.messages.values import added, shown

ORIGINAL, REPLACEMENT = "9", "5"
IMPORT = "929"
EARLIEST = (96, "B")
ITEMS_COUNTED = "5"  # of 6069: the number of goods items
_NUMBERS = frozenset(field.name for field in contract.DECLARATION if field.dtype == contract.NUMBER)


class Where(NamedTuple):
    """A component of a segment: its tag, the qualifier and where that is, and where the value is, counted from 1."""

    tag: str
    qualifier: str | None
    value: tuple[int, int]
    qualifier_at: tuple[int, int] = (1, 1)

    def __str__(self) -> str:
        """Return it as refusals and the page show it: NAD+IM, element 2.1."""
        told = "" if self.qualifier is None else "+" * self.qualifier_at[0] + ":" * (self.qualifier_at[1] - 1)
        return f"{self.tag}{told}{self.qualifier or ''}, element {self.value[0]}.{self.value[1]}"

    def found(self, segments: Iterable[Segment]) -> list[Segment]:
        """Return the segments of this tag and qualifier."""
        return [
            each
            for each in segments
            if each.tag == self.tag and (self.qualifier is None or each.get(*self.qualifier_at) == self.qualifier)
        ]


class Mapped(NamedTuple):
    """A contract column, and where it is: the first place that has something, in an item's segments or the header's."""

    column: str
    at_item: tuple[Where, ...] = ()
    at_header: tuple[Where, ...] = ()
    rule: str = ""


def _customs_code(qualifier: str) -> tuple[Where, ...]:
    """Return the places of a code of CST, which has five of them, each with its own list (1131)."""
    return tuple(Where("CST", qualifier, (place, 1), (place, 2)) for place in range(2, 7))


_PROCEDURE, _PREFERENCE = _customs_code("117"), _customs_code("116")
_NATURE = (Where("GIS", "112", (1, 1), (1, 2)),)
_SELLER = (Where("NAD", "SE", (2, 1)), Where("NAD", "SU", (2, 1)))
_DOCUMENTS = tuple(Where("RFF", qualifier, (1, 2)) for qualifier in ("BH", "HWB", "BM", "AWB", "MB", "MWB"))

MAPPED: Final = (
    Mapped("declaration_id", at_header=(Where("BGM", None, (2, 1)),)),
    Mapped("item_number", (Where("CST", None, (1, 1)),)),
    Mapped("office", at_header=(Where("LOC", "22", (2, 1)),), rule="customs office of clearance"),
    Mapped("procedure", _PROCEDURE, _PROCEDURE, "the code of list 117 among the five of CST"),
    Mapped("import_type", _NATURE, _NATURE, "the code of list 112 (nature of transaction)"),
    Mapped(
        "transport_mode",
        at_header=(Where("TDT", "11", (3, 1)), Where("TDT", "20", (3, 1))),
        rule="at the border, or else main carriage",
    ),
    Mapped("declarant_id", at_header=(Where("NAD", "DT", (2, 1)), Where("NAD", "CB", (2, 1)))),
    Mapped("importer_id", at_header=(Where("NAD", "IM", (2, 1)),)),
    Mapped("seller_id", _SELLER, _SELLER),
    Mapped("hs_code", (Where("CST", None, (2, 1)),)),
    Mapped("departure_country", (Where("LOC", "35", (2, 1)),), (Where("LOC", "35", (2, 1)),)),
    Mapped("origin_country", (Where("LOC", "27", (2, 1)),)),
    Mapped("tax_rate_pct", (Where("TAX", "1", (5, 4)),), rule="of every duty, added up"),
    Mapped("tax_type", _PREFERENCE, _PREFERENCE, "the code of list 116 (preference) among the five of CST"),
    Mapped("net_mass_kg", (Where("MEA", "AAF", (3, 2), (2, 1)), Where("MEA", "AAA", (3, 2), (2, 1))), rule="in KGM"),
    Mapped("item_value", (Where("MOA", "40", (1, 2)),), rule="customs value"),
    Mapped("currency", (Where("MOA", "40", (1, 3)),)),
    Mapped("goods_description", (Where("FTX", "AAA", (4, 1)),), rule="all five texts of all such segments"),
    Mapped("quantity", (Where("MEA", "AAR", (3, 2)),), rule="first quantity of the tariff"),
    Mapped("quantity_unit", (Where("MEA", "AAR", (3, 1)),)),
    Mapped("gross_mass_kg", (Where("MEA", "AAB", (3, 2), (2, 1)),), rule="in KGM"),
    Mapped("container_id", at_header=(Where("EQD", "CN", (2, 1)),), rule="only if there is no other"),
    Mapped("transport_document_id", _DOCUMENTS, _DOCUMENTS, "house before master documents"),
)

# What is no column, and tells customs' tables which office is meant.
GOODS_LOCATION: Final = Mapped("goods_location", at_header=(Where("LOC", "14", (2, 1)),))


def declarations(content: bytes) -> list[Declaration]:
    """Return the declarations of an interchange, with the faults of their form; MessageRefused if it is none."""
    found = edifact.messages(content)
    items = sum(segment.tag == "CST" for message in found for segment in message.segments)
    refuse_too_many("UNZ, element 1 (number of messages)", len(found), items)
    return [_declaration(each, f"message {place}: " if len(found) > 1 else "") for place, each in enumerate(found, 1)]


def _declaration(message: Message, before: str) -> Declaration:
    header, details, summary = _sections(message.segments, before)
    shared = _Section(header, before, message.decimal_mark, is_shared=True)
    mappings = (*(mapped for mapped in MAPPED if mapped.at_header), GOODS_LOCATION)
    cells = {mapped.column: shared.cell(mapped, mapped.at_header) for mapped in mappings}
    declaration = Declaration(cells["declaration_id"], faults=_faults(header, details, summary, before))
    declaration.faults += shared.faults
    for place, segments in enumerate(details, 1):
        section = _Section(segments, f"{before}item {place}: ", message.decimal_mark)
        own = {mapped.column: section.cell(mapped, mapped.at_item) for mapped in MAPPED if mapped.at_item}
        declaration.items.append(Item(merged(cells, own), section.faults))
    return declaration


def _sections(segments: Sequence[Segment], before: str) -> tuple[list[Segment], list[list[Segment]], list[Segment]]:
    """Return the header's segments, those of each item, which begins with CST, and the summary's."""
    kind = [segments[0].get(2, component) or "" for component in range(1, 5)]
    release = re.fullmatch(r"(\d\d)([A-Z])", kind[2])
    year = int(release[1]) + (0 if int(release[1]) >= 90 else 100) if release else 0  # the directories began in 1990
    is_late = release is not None and (year, release[2]) >= EARLIEST
    if [kind[0], kind[1], kind[3]] != ["CUSDEC", "D", "UN"] or not is_late:
        raise MessageRefused(f"{before}UNH, element 2", shown(":".join(kind)), "CUSDEC:D:96B:UN, or a later release")
    marks = [segment.get(1) for segment in segments if segment.tag == "UNS"]
    if marks != ["D", "S"]:
        raise MessageRefused(f"{before}UNS", shown(", ".join(map(str, marks)) or None), "UNS+D, and later UNS+S")
    begin, end = (place for place, segment in enumerate(segments) if segment.tag == "UNS")
    items: list[list[Segment]] = []
    for segment in segments[begin + 1 : end]:
        if segment.tag == "CST":
            items.append([])
        if items:
            items[-1].append(segment)
    return [*segments[:begin]], items, [*segments[end:]]


def _faults(header: list[Segment], details: list[list[Segment]], summary: list[Segment], before: str) -> list[Fault]:
    """Return what keeps a declaration as a whole from being read: its kind, its function, the number of its items."""
    faults = []
    begin = next((segment for segment in header if segment.tag == "BGM"), Segment(0, "BGM", ()))
    if begin.get(1) != IMPORT:
        faults.append(
            Fault(f"{before}BGM, element 1.1", shown(begin.get(1)), f"{IMPORT} (declaration for importation)")
        )
    if begin.get(3) not in (ORIGINAL, REPLACEMENT):
        allowed = f"{ORIGINAL} (original) or {REPLACEMENT} (replaces all that was declared)"
        faults.append(Fault(f"{before}BGM, element 3.1", shown(begin.get(3)), allowed))
    if not details:
        faults.append(Fault(f"{before}CST", shown(None), "at least one goods item"))
    counts = Where("CNT", ITEMS_COUNTED, (1, 2))
    for segment in counts.found(summary):
        stated = segment.get(*counts.value)
        if stated != str(len(details)):
            faults.append(Fault(f"{before}{counts}", shown(stated), f"{len(details)}, as many as there are"))
    return faults


class _Section:
    """The header's segments, or those of one item: gives the cells of places in it, and collects faults."""

    def __init__(self, segments: list[Segment], before: str, decimal_mark: str, *, is_shared: bool = False) -> None:
        self.segments, self.before, self.mark, self.is_shared = segments, before, decimal_mark, is_shared
        self.faults: list[Fault] = []

    def cell(self, mapped: Mapped, places: tuple[Where, ...]) -> Cell:
        """Return the cell of a column: the first of `places` that has something, or the first one, with nothing."""
        for where in places:
            given = self._given(mapped.column, where)
            if given is not None:
                return Cell(f"{self.before}{where}", given, self.is_shared)
        return Cell(f"{self.before}{places[0]}", None, self.is_shared)

    def _given(self, column: str, where: Where) -> str | None:
        found = where.found(self.segments)
        if column == "goods_description":
            lines = [segment.get(4, line) for segment in found for line in range(1, 6)]
            return " ".join(line for line in lines if line) or None
        if column in ("container_id", GOODS_LOCATION.column) and len(found) > 1:
            return None  # no segment says in which of them an item is
        values = [segment.get(*where.value) for segment in found]
        if column == "tax_rate_pct":
            return self._summed(where, values)
        if where.tag == "MEA" and column.endswith("_kg"):
            for unit in {segment.get(where.value[0], 1) for segment in found} - {"KGM"}:
                self.faults.append(Fault(f"{self.before}{where}", f"unit {shown(unit)}", "KGM (kilograms)"))
        if len(values) > 1 and where.tag != "RFF":
            self.faults.append(Fault(f"{self.before}{where}", f"given {len(values)} times", "once"))
        value = next(filter(None, values), None)
        return self._decimal(value) if value and column in _NUMBERS else value

    def _decimal(self, text: str) -> str:
        """Return a number with a point; one with the other mark stays as it is, and is refused."""
        return text if self.mark == "." else text.replace(".", "?").replace(",", ".")

    def _summed(self, where: Where, rates: list[str | None]) -> str | None:
        """Return the sum of the rates of all duties; None if none has one, and a fault if only some have."""
        given = [self._decimal(rate) for rate in rates if rate]
        if given and len(given) < len(rates):
            told = f"{len(given)} rates for {len(rates)} duties"
            self.faults.append(Fault(f"{self.before}{where}", told, "a rate for each duty"))
        return added(given)

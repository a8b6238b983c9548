"""From what a message tells to rows of the contract, or refusals: each goods item becomes one or the other.

The rules on rows are those of validation, so that a row from here is one that ingestion would store.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features import contract
from features.contract import KEY, Field
from features.messages import values
from features.messages.tables import GOODS_LOCATION, OFFICE, Tables
from features.messages.told import Cell, Declaration, Fault, Item
from features.messages.values import Unreadable, shown
from features.validation import at_once

Value = str | int | float | None
_FIELDS = tuple(field for field in contract.DECLARATION if field.name not in ("accepted_at", "recorded_at"))


@dataclass(frozen=True)
class Refusal:
    """Says why an item, a declaration (`item` is None) or a message (`declaration` is None too) was not taken.

    `element` is the path of the element in the message, `value` what was given there as text, `allowed` what would be.
    """

    declaration: str | None
    item: int | None
    element: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.element}: {self.value}; expected: {self.allowed}"


@dataclass(frozen=True)
class Read:
    """Holds what a message became: `rows` of the contract's table `declarations`, refusals, and remarks.

    Each goods item is a row, or a refusal names it, its declaration or the message. A declaration may have both rows
    and refusals; whether it is then taken at all is for the caller to say. A remark names a value that was left out of
    a row, which is a row all the same.
    """

    rows: pl.DataFrame
    refusals: tuple[Refusal, ...] = ()
    remarks: tuple[Refusal, ...] = ()


@dataclass
class _Draft:
    """An item on its way: its declaration's place in the message, the values so far, and what is wrong with them."""

    place: int
    item: Item
    row: dict[str, Value]
    shared: list[Fault]
    own: list[Fault]
    unreadable: set[str]


def judged(declarations: Sequence[Declaration], accepted_at: datetime, tables: Tables | None, *, is_text: bool) -> Read:
    """Return rows and refusals of the items of all `declarations`; `is_text` as in `values.read`."""
    drafts = [
        _draft(place, item, tables, is_text=is_text)
        for place, declaration in enumerate(declarations)
        for item in declaration.items
    ]
    frame = pl.DataFrame(
        [draft.row | {"accepted_at": accepted_at, "recorded_at": None} for draft in drafts],
        schema=contract.schema("declarations"),
    )
    for found in at_once.refused("declarations", frame):
        draft = drafts[found.row]
        if found.column not in draft.unreadable:
            _add(draft, draft.item.cells.get(found.column, Cell(found.column)), found.value, found.allowed)
    _refuse_repeated(drafts)
    by_place: list[list[_Draft]] = [[] for _ in declarations]
    for draft in drafts:
        by_place[draft.place].append(draft)
    refusals: list[Refusal] = []
    remarks: list[Refusal] = []
    bad_declarations: set[int] = set()
    for place, declaration in enumerate(declarations):
        own = by_place[place]
        shared = dict.fromkeys([*declaration.faults, *(fault for draft in own for fault in draft.shared)])
        name = _reference(declaration)
        refusals += (Refusal(name, None, *fault) for fault in shared)
        refusals += (Refusal(name, _number(draft), *fault) for draft in own for fault in dict.fromkeys(draft.own))
        remarks += (Refusal(name, None, *fault) for fault in declaration.remarks)
        remarks += (Refusal(name, _number(draft), *fault) for draft in own for fault in draft.item.remarks)
        if shared:
            bad_declarations.add(place)
    is_row = [draft.place not in bad_declarations and not draft.own for draft in drafts]
    return Read(frame.filter(pl.Series(is_row, dtype=pl.Boolean)), tuple(refusals), tuple(remarks))


def none_read(fault: Fault) -> Read:
    """Return what becomes of a message that cannot be read at all."""
    return Read(pl.DataFrame(schema=contract.schema("declarations")), (Refusal(None, None, *fault),))


def _draft(place: int, item: Item, tables: Tables | None, *, is_text: bool) -> _Draft:
    draft = _Draft(place, item, {}, [], [*item.faults], set())
    for field in _FIELDS:
        cell = item.cells.get(field.name, Cell(field.name))
        _set(draft, field, cell, is_text=is_text)
    if tables is not None:
        _complete(draft, tables)
    return draft


def _complete(draft: _Draft, tables: Tables) -> None:
    """Take from customs' own tables what the message leaves to them, and the office that a code of another list means.

    Nothing else of what the message says is replaced.
    """
    row, location = draft.row, draft.item.cells.get(GOODS_LOCATION, Cell(GOODS_LOCATION)).given
    if row["office"] is not None:
        _replace(draft, "office", tables.office(OFFICE, str(row["office"])))
    elif "office" not in draft.unreadable and isinstance(location, str):
        _replace(draft, "office", tables.office(GOODS_LOCATION, location.strip()))
    if row["tax_rate_pct"] is None and "tax_rate_pct" not in draft.unreadable:
        goods = (_text(row[name]) for name in ("hs_code", "origin_country", "tax_type"))
        _replace(draft, "tax_rate_pct", tables.tax_rate_pct(*goods))


def _replace(draft: _Draft, column: str, known: Value) -> None:
    """Have a column hold what customs' tables know; nothing changes if they do not."""
    if known is not None:
        draft.item.cells[column] = Cell(f"{column} by customs' tables", known)
        draft.row[column] = known


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _set(draft: _Draft, field: Field, cell: Cell, *, is_text: bool) -> None:
    draft.row[field.name] = None
    try:
        draft.row[field.name] = values.read(field, cell.given, is_text=is_text)
    except Unreadable as error:
        draft.unreadable.add(field.name)
        _add(draft, cell, cell.given, str(error))


def _add(draft: _Draft, cell: Cell, value: object, allowed: str) -> None:
    (draft.shared if cell.is_shared else draft.own).append(Fault(cell.element, shown(value), allowed))


def _refuse_repeated(drafts: Sequence[_Draft]) -> None:
    """Refuse items whose number another item of the declaration has, and declarations that are in the message twice."""
    times = Counter(tuple(draft.row[name] for name in KEY) for draft in drafts)
    places: dict[Value, set[int]] = {}
    for draft in drafts:
        places.setdefault(draft.row["declaration_id"], set()).add(draft.place)
    for draft in drafts:
        reference, number = (draft.row[name] for name in KEY)
        if reference is not None and len(places[reference]) > 1:
            cell = draft.item.cells["declaration_id"]
            draft.shared.append(Fault(cell.element, shown(reference), "each declaration once in a message"))
        elif reference is not None and number is not None and times[reference, number] > 1:
            cell = draft.item.cells["item_number"]
            draft.own.append(Fault(cell.element, shown(number), "a number that no other item of the declaration has"))


def _reference(declaration: Declaration) -> str | None:
    given = declaration.reference.given
    return given.strip()[:64].encode("ascii", "backslashreplace").decode() or None if isinstance(given, str) else None


def _number(draft: _Draft) -> int | None:
    number = draft.row["item_number"]
    return number if isinstance(number, int) else None

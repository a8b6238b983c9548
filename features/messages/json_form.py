"""Declarations in JSON: one object, or a list of them, in the contract's own column names.

A declaration has a list `items`. A column stands at the declaration, for all its items, or at an item; never at both.
The standard library reads it, because it tells of a key that is given twice, where the second would silently win.
"""

import json
from collections import Counter
from typing import Any

import polars as pl

from features import contract
from features.messages.told import (
    MOST_DECLARATIONS,
    MOST_ITEMS,
    Cell,
    Declaration,
    Fault,
    Item,
    MessageRefused,
    refuse_too_many,
)
from features.messages.values import shown

SET_BY_CUSTOMS = ("accepted_at", "recorded_at")  # by customs' clock; no message says when it arrived
AT_DECLARATION = ("declaration_id",)
AT_ITEM = ("item_number",)
MOST_KEYS = 100
MOST_OBJECTS = MOST_DECLARATIONS + MOST_ITEMS
COLUMNS = tuple(field.name for field in contract.DECLARATION if field.name not in SET_BY_CUSTOMS)


def message(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the rows of one declaration as its own system writes it: without what customs' clock says."""
    left_out = (*AT_DECLARATION, *SET_BY_CUSTOMS)
    items = [
        {name: value for name, value in row.items() if value is not None and name not in left_out}
        for row in rows.to_dicts()
    ]
    return {"declaration_id": rows["declaration_id"][0], "items": items}


class _Object(dict[str, Any]):
    """A JSON object that remembers the keys which it has more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: list[str] = []
        if len(self) < len(pairs):
            times = Counter(key for key, _ in pairs)
            self.repeated = sorted(key for key, number in times.items() if number > 1)


def declarations(content: bytes) -> list[Declaration]:
    """Return the declarations of a message, with the faults of their form; MessageRefused if it is no such JSON."""
    for sign in (b"{", b"["):  # counted before anything is built of them, since an empty object takes much memory
        if content.count(sign) > MOST_OBJECTS:
            told = f"{content.count(sign):,} times {sign.decode()}"
            raise MessageRefused("message", told, f"at most {MOST_OBJECTS:,} times")
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Object)
    except UnicodeDecodeError as error:
        raise MessageRefused("message", f"byte {error.start} is not UTF-8", "JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise MessageRefused("message", where, "JSON in UTF-8") from None
    except RecursionError:
        raise MessageRefused("message", "nested too deep", "declarations with a list of items") from None
    except ValueError:
        raise MessageRefused("message", "a number with thousands of digits", "numbers of the contract") from None
    told = found if isinstance(found, list) else [found]
    items = (each.get("items") for each in told if isinstance(each, _Object))
    refuse_too_many("message", len(told), sum(len(each) for each in items if isinstance(each, list)))
    return [_declaration(each, f"[{place}]" if isinstance(found, list) else "") for place, each in enumerate(told)]


def _declaration(found: object, path: str) -> Declaration:
    before = f"{path}." if path else ""
    if not isinstance(found, _Object):
        fault = Fault(path or "message", shown(found), 'a declaration, as {..., "items": [...]}')
        return Declaration(Cell(path or "message"), faults=[fault])
    declaration = Declaration(Cell(f"{before}declaration_id", found.get("declaration_id"), is_shared=True))
    declaration.faults += _keys(found, before, (*(set(COLUMNS) - {*AT_ITEM}), "items"))
    shared = {name: Cell(before + name, found.get(name), is_shared=True) for name in COLUMNS if name in found}
    items = found.get("items")
    if not isinstance(items, list) or not items:
        declaration.faults.append(Fault(f"{before}items", shown(items), "a list of at least one item"))
        return declaration
    declaration.items = [_item(each, f"{before}items[{place}]", shared) for place, each in enumerate(items)]
    return declaration


def _item(found: object, path: str, shared: dict[str, Cell]) -> Item:
    if not isinstance(found, _Object):
        return Item(faults=[Fault(path, shown(found), 'an item, as {"item_number": 1, ...}')])
    own = {name: Cell(f"{path}.{name}", found.get(name)) for name in COLUMNS}
    item = Item(own | {name: cell for name, cell in shared.items() if name not in found or name in AT_DECLARATION})
    item.faults = _keys(found, f"{path}.", tuple(set(COLUMNS) - {*AT_DECLARATION}))
    for name in shared.keys() & found.keys() - {*AT_DECLARATION, *AT_ITEM}:
        given = shown(found[name])
        item.faults.append(Fault(f"{path}.{name}", given, f"it stands at the declaration ({shared[name].element})"))
    return item


def _keys(found: _Object, before: str, allowed: tuple[str, ...]) -> list[Fault]:
    """Return a fault for each key that may not stand in this object, and for each that is given twice."""
    if len(found) > MOST_KEYS:
        return [Fault(before.removesuffix(".") or "message", f"{len(found):,} keys", f"at most {MOST_KEYS}")]
    faults = [Fault(before + _name(key), "given twice", "once") for key in found.repeated]
    for key in found:
        if key in SET_BY_CUSTOMS:
            faults.append(Fault(before + key, shown(found[key]), "nothing; customs' own clock says it"))
        elif key not in allowed:
            faults.append(Fault(before + _name(key), shown(found[key]), f"one of {', '.join(sorted(allowed))}"))
    return faults


def _name(key: str) -> str:
    """Return a key as a path shows it: as it is if it is a name, else in quotes."""
    return key if key.isidentifier() and key.isascii() and len(key) <= len(max(COLUMNS, key=len)) else shown(key)

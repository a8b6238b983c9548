"""What a message tells, before anybody judges it: declarations, their goods items, and what is wrong with the form.

Readers of the three forms give these; `judging` makes rows or refusals of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_DECLARATIONS = 1_000
MOST_ITEMS = 10_000  # of all declarations together; without this, a message of empty items would ask for gigabytes


class Cell(NamedTuple):
    """A value for a contract column: its element in the message, and what stands there, None if nothing does.

    `is_shared` says that the element belongs to the whole declaration and not to one item.
    """

    element: str
    given: object = None
    is_shared: bool = False


class Fault(NamedTuple):
    """Names what is wrong with an element: the value that was given, as text, and what would be allowed."""

    element: str
    value: str
    allowed: str


class MessageRefused(ValueError):
    """The message as a whole cannot be read. `fault` says why."""

    def __init__(self, element: str, value: str, allowed: str) -> None:
        self.fault = Fault(element, value, allowed)
        super().__init__(f"{element}: {value}; expected: {allowed}")


@dataclass
class Item:
    """One goods item: its values by contract column, faults of its form, and remarks on what was left out of it."""

    cells: dict[str, Cell] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    remarks: list[Fault] = field(default_factory=list)


@dataclass
class Declaration:
    """One declaration of a message: its reference, its items, and the faults and remarks that concern all of them."""

    reference: Cell
    items: list[Item] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    remarks: list[Fault] = field(default_factory=list)


def merged(shared: Mapping[str, Cell], own: Mapping[str, Cell]) -> dict[str, Cell]:
    """Return the cells of an item: its own where they say something, or where the declaration says nothing either."""
    said = {name for name, cell in shared.items() if cell.given is not None}
    return {**shared, **{name: cell for name, cell in own.items() if cell.given is not None or name not in said}}


def refuse_too_many(element: str, declarations: int, items: int) -> None:
    """Raise MessageRefused if a message has no declarations, more than MOST_DECLARATIONS, or more than MOST_ITEMS."""
    if not 1 <= declarations <= MOST_DECLARATIONS:
        raise MessageRefused(element, f"{declarations:,} declarations", f"1 to {MOST_DECLARATIONS:,}")
    if items > MOST_ITEMS:
        raise MessageRefused(element, f"{items:,} goods items", f"at most {MOST_ITEMS:,} in all")

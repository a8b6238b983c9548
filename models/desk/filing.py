"""Findings as they are filed, and what they say of each item together.

Not here: who may file one (findings.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from models.desk.record import GREEN, Filed, Finding
from models.desk.tables import cases, findings, items, rulings

Numbers = sa.Select[tuple[int]]


@dataclass(frozen=True)
class Item:
    """An item to be judged; what was found before it was raised, up to number `after_finding`, clears it no more."""

    item_number: int
    lane: str
    after_finding: int = 0

    @property
    def is_inspected(self) -> bool:
        return self.lane != GREEN


@dataclass(frozen=True)
class Judged:
    """Tells what is found of an item; `revenue` is None where something is found and nobody knows what it recovers."""

    is_illicit: bool
    is_critical: bool = False
    revenue: float | None = 0.0


def filed(connection: sa.Connection, number: int) -> tuple[Filed, ...]:
    """Return everything that was filed about a case, in order."""
    return tuple(_filed(connection, sa.select(sa.literal(number))).get(number, ()))


def standing(connection: sa.Connection, number: int) -> list[Filed]:
    """Return the findings of a case that count: in time, or accepted by a supervisor, and not replaced."""
    return standing_of(connection, sa.select(sa.literal(number))).get(number, [])


def standing_of(connection: sa.Connection, wanted: Numbers) -> dict[int, list[Filed]]:
    """Return the findings that count of each of the cases that a query numbers."""
    accepted = sa.select(rulings.c.key).where(rulings.c.case_number.in_(wanted), rulings.c.key.is_not(None))
    keys = set(connection.execute(accepted).scalars())
    return {
        number: not_replaced([each for each in every if not each.conflict or each.finding.key in keys])
        for number, every in _filed(connection, wanted).items()
    }


def given_of(connection: sa.Connection, wanted: Numbers) -> dict[int, list[Filed]]:
    """Return what was found in each of the cases that a query numbers, as it stood when the case was closed.

    So it is what those who worked on the case made of it, and not what an appeal or a supervisor has made of it since.
    """
    when = sa.select(cases.c.number, cases.c.closed_at).where(cases.c.number.in_(wanted))
    closed = {row.number: row.closed_at for row in connection.execute(when)}
    return {
        number: not_replaced(
            [each for each in every if not each.conflict and closed[number] is not None and each.at <= closed[number]]
        )
        for number, every in _filed(connection, wanted).items()
    }


def not_replaced(every: Sequence[Filed]) -> list[Filed]:
    """Return findings without those that another one of them replaces."""
    replaced = {each.finding.replaces for each in every}
    return [each for each in every if each.finding.key not in replaced]


def _filed(connection: sa.Connection, wanted: Numbers) -> dict[int, list[Filed]]:
    found: dict[int, list[Filed]] = {}
    query = sa.select(findings).where(findings.c.case_number.in_(wanted)).order_by(findings.c.number)
    for row in connection.execute(query):
        told = Filed(row.number, Finding.from_json(row.content), row.officer, row.at, row.conflict)
        found.setdefault(row.case_number, []).append(told)
    return found


def judged(counted: Sequence[Filed], of: Iterable[Item]) -> dict[int, Judged]:
    """Return what findings say of each item, by its number; an item of which they say nothing is left out.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2024, 5, 2, tzinfo=UTC)
    >>> one = Finding(key="a", case=1, found_at=at, item_number=1, kind="origin", revenue=200.0)
    >>> rest = Finding(key="b", case=1, found_at=at)
    >>> items = [Item(1, "red"), Item(2, "red"), Item(3, "green"), Item(4, "red", after_finding=2)]
    >>> told = judged([Filed(1, one, "ana", at), Filed(2, rest, "ana", at)], items)
    >>> {number: each.is_illicit for number, each in told.items()}
    {1: True, 2: False}
    """
    found: dict[int, Judged] = {}
    for item in of:
        own = [each.finding for each in counted if each.finding.kind and each.finding.item_number == item.item_number]
        known = [each.revenue for each in own if each.revenue is not None]
        if own:
            is_critical = any(each.is_critical for each in own)
            found[item.item_number] = Judged(True, is_critical, sum(known) if known else None)
        elif any(_clears(each, item) for each in counted):
            found[item.item_number] = Judged(False)
    return found


def _clears(each: Filed, item: Item) -> bool:
    if each.finding.is_infringement or each.number <= item.after_finding:
        return False
    return each.finding.item_number == item.item_number or (each.finding.item_number is None and item.is_inspected)


def items_of(connection: sa.Connection, number: int) -> list[Item]:
    """Return the items of a case, in order."""
    query = sa.select(items.c.item_number, items.c.lane, items.c.after_finding).where(items.c.case_number == number)
    return [Item(*row) for row in connection.execute(query.order_by(items.c.item_number))]


def judgement(connection: sa.Connection, number: int) -> dict[int, Judged]:
    """Return what the standing findings of a case say of each of its items."""
    return judged(standing(connection, number), items_of(connection, number))


def last_number(connection: sa.Connection, number: int) -> int:
    """Return the number of the last finding of a case; 0 without one."""
    return (
        connection.execute(sa.select(sa.func.max(findings.c.number)).where(findings.c.case_number == number)).scalar()
        or 0
    )

"""What every part of the desk works with: the database, the rules, the clock, and how a case is looked up for somebody.

A case of somebody else's office is as one that does not exist.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from models.database import Tables
from models.desk.record import Case, CaseItem, Officer, Refused
from models.desk.tables import cases, events, findings, items
from models.policy import LANES
from models.policy import Desk as Rules

SECOND = 2
_DIGITS = 53  # binary digits of a double between 0 and 1


def may_judge(officer: Officer) -> sa.ColumnElement[bool]:
    """Say in SQL which cases an officer may take: of their offices, and second looks at what others judged."""
    return sa.and_(cases.c.office.in_(officer.offices), is_blind(officer.name))


def is_blind(name: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """Say in SQL which cases somebody called `name` may judge, whatever their office.

    Whoever has had anything to do with the first look would not be blind in the second.
    """
    first = cases.alias("first")
    is_known = (
        sa.select(sa.literal(1))
        .where(
            first.c.declaration_id == cases.c.declaration_id,
            first.c.look != SECOND,
            events.c.case_number == first.c.number,
            events.c.actor == name,
        )
        .correlate(cases)
    )
    return sa.or_(cases.c.look != SECOND, sa.not_(sa.exists(is_known)))


def may_see(officer: Officer) -> sa.ColumnElement[bool]:
    """Say in SQL which cases are an officer's business: those that they may judge, and to a supervisor all."""
    return cases.c.office.in_(officer.offices) if officer.is_supervisor else may_judge(officer)


# SQLAlchemy takes longer to make a statement than a database to answer it, so what officers wait for is made once.
_NOTE = events.insert()
_ITEMS = (
    sa.select(items.c.case_number, items.c.item_number, items.c.lane)
    .where(items.c.case_number.in_(sa.bindparam("numbers", expanding=True)))
    .order_by(items.c.item_number)
)
_ANY = sa.select(cases).where(cases.c.number == sa.bindparam("case")).with_for_update()
_OFFICES, _NAME = sa.bindparam("offices", expanding=True), sa.bindparam("name")
_ROW = _ANY.where(cases.c.office.in_(_OFFICES))
_ROW_TO_JUDGE = _ROW.where(is_blind(_NAME))


@dataclass(frozen=True)
class Shared:
    """Holds what the parts share; `now` gives the instant with its zone, the administration's legal one."""

    tables: Tables
    rules: Rules
    secret: bytes
    now: Callable[[], datetime]

    @property
    def lease(self) -> timedelta:
        return timedelta(minutes=self.rules.lease_minutes)

    @property
    def longest(self) -> timedelta:
        """Return the longest time limit of a lane."""
        return timedelta(hours=max(getattr(self.rules.hours, lane) for lane in LANES))

    def due_at(self, lane: str, since: datetime) -> datetime:
        """Return a lane's time limit for what came at `since`."""
        return since + timedelta(hours=getattr(self.rules.hours, lane))

    def draw(self, purpose: str, number: int) -> float:
        """Return a case's uniform number for a purpose, from 0 up to, but not including, 1; nobody can foretell it."""
        digest = hmac.digest(self.secret, f"{purpose} {number}".encode(), hashlib.sha256)
        return (int.from_bytes(digest[:8]) >> (64 - _DIGITS)) / 2**_DIGITS

    def note(
        self,
        connection: sa.Connection,
        number: int,
        actor: str,
        action: str,
        words: str = "",
        at: datetime | None = None,
    ) -> None:
        """Write down what somebody did to a case."""
        told = {"case_number": number, "at": at or self.now(), "actor": actor, "action": action, "words": words}
        connection.execute(_NOTE, told)

    def row(self, connection: sa.Connection, officer: Officer, number: int, *, to_judge: bool = False) -> sa.Row:
        """Return a case's row, which nobody else changes until the transaction ends.

        Refused if the case is not the officer's business, or, `to_judge` it, if they know of its first look.
        """
        query = _ROW if officer.is_supervisor and not to_judge else _ROW_TO_JUDGE
        told = {"case": number, "offices": list(officer.offices), "name": officer.name}
        found = connection.execute(query, told).first()
        if found is None:
            raise Refused(f"case {number} does not exist in your offices: {', '.join(officer.offices) or 'none'}")
        return found

    def readable(self, connection: sa.Connection, officer: Officer, number: int) -> sa.Row:
        """Return the row of a case whose history the officer may read; Refused if they may not.

        A closed case is open to those who worked on it, and to supervisors.
        """
        row = self.row(connection, officer, number)
        if row.closed_at is not None and not officer.is_supervisor and not worked_on(connection, officer, number):
            raise Refused(f"case {number} is closed; allowed: those who worked on it, and supervisors")
        return row

    def case(self, connection: sa.Connection, row: sa.Row) -> Case:
        """Return a case as officers see it."""
        return self.listed(connection, [row])[0]

    def listed(self, connection: sa.Connection, rows: list[sa.Row]) -> list[Case]:
        """Return cases as officers see them, in the order of their rows."""
        found: dict[int, list[CaseItem]] = {}
        numbers = {"numbers": [row.number for row in rows]}
        for case_number, item_number, lane in connection.execute(_ITEMS, numbers):
            found.setdefault(case_number, []).append(CaseItem(item_number, lane))
        now, zone = self.now(), self.now().tzinfo

        def legal(at: datetime | None) -> datetime | None:
            return at.astimezone(zone) if at else None

        return [
            Case(
                number=row.number,
                declaration_id=row.declaration_id,
                version=row.version,
                decision_id=row.decision_id,
                office=row.office,
                lane=row.lane,
                accepted_at=row.accepted_at,
                opened_at=row.opened_at.astimezone(zone),
                due_at=row.due_at.astimezone(zone),
                holder=holder(row, now),
                lease_until=legal(row.lease_until) if holder(row, now) else None,
                asked_lane=row.asked_lane,
                asked_by=row.asked_by,
                closed_at=legal(row.closed_at),
                closed_by=row.closed_by,
                ending=row.ending,
                items=tuple(found.get(row.number, ())),
            )
            for row in rows
        ]


def holder(row: sa.Row, now: datetime) -> str | None:
    """Return who holds a case; None where nobody does, or the lease has ended."""
    return row.holder if row.holder and row.lease_until > now else None


def require_open(row: sa.Row) -> None:
    """Raise Refused if the case is closed."""
    if row.closed_at is not None:
        raise Refused(f"case {row.number} was closed by {row.closed_by}")


def require_held(row: sa.Row, officer: Officer, now: datetime) -> None:
    """Raise Refused unless the officer holds the case."""
    require_open(row)
    held_by = holder(row, now)
    if held_by != officer.name:
        who = f"{held_by} holds it" if held_by else "nobody holds it"
        raise Refused(f"case {row.number} is not in your hands: {who}; take it first")


def worked_on(connection: sa.Connection, officer: Officer, number: int) -> bool:
    """Return whether the officer ever had the case in hand, or found something in it."""
    had = sa.select(sa.literal(1)).where(
        events.c.case_number == number, events.c.actor == officer.name, events.c.action.in_(("took", "received"))
    )
    found = sa.select(sa.literal(1)).where(findings.c.case_number == number, findings.c.officer == officer.name)
    return bool(connection.execute(sa.select(sa.or_(sa.exists(had), sa.exists(found)))).scalar())


def require_worked_on(connection: sa.Connection, officer: Officer, number: int) -> None:
    """Raise Refused unless the officer has worked on the case; a lease may have ended while they had no network."""
    if not worked_on(connection, officer, number):
        raise Refused(f"case {number} was never in your hands; take it first")


def require_supervisor(officer: Officer) -> None:
    """Raise Refused unless the officer is a supervisor."""
    if not officer.is_supervisor:
        raise Refused(f"{officer.name} is no supervisor; allowed: supervisors")

"""Everything that the desk has kept about a declaration, for who answers for it and not for who works on it.

What was done and found is told as it was written down; nothing here says how a case stands now. Instants are in UTC.
"""

import msgspec
import sqlalchemy as sa

from models.database import Tables
from models.desk.filing import filed
from models.desk.record import Event, Filed
from models.desk.tables import cases, events


class History(msgspec.Struct, frozen=True):
    """Tells what was done and found in a case, oldest first. `look` is 2 where somebody else looked again."""

    case: int
    look: int
    events: tuple[Event, ...]
    findings: tuple[Filed, ...]


def histories(desk: Tables, declaration_id: str) -> list[History]:
    """Return the history of each case of a declaration, the first look first; Unavailable if the database is away."""
    query = sa.select(cases.c.number, cases.c.look).where(cases.c.declaration_id == declaration_id)
    with desk.reading() as connection:
        return [
            History(number, look, _events(connection, number), filed(connection, number))
            for number, look in connection.execute(query.order_by(cases.c.look)).all()
        ]


def _events(connection: sa.Connection, number: int) -> tuple[Event, ...]:
    query = sa.select(events).where(events.c.case_number == number).order_by(events.c.number)
    return tuple(Event(each.at, each.actor, each.action, each.words) for each in connection.execute(query))

"""How many cases wait in the whole installation, for whoever watches over it; officers see those of their offices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from models.database import Tables
from models.desk.tables import cases


@dataclass(frozen=True)
class Standing:
    """Tells how many cases of a lane are open, how many past their limit, and since when the oldest one is."""

    lane: str
    open: int
    late: int
    oldest_at: datetime


def standing(tables: Tables, now: datetime) -> Iterator[Standing]:
    """Yield the lanes that have open cases, in order of name; Unavailable if the database does not answer."""
    query = (
        sa.select(
            cases.c.lane,
            sa.func.count(),
            sa.func.sum(sa.case((cases.c.due_at < now, 1), else_=0)),
            sa.func.min(cases.c.opened_at),
        )
        .where(cases.c.closed_at.is_(None))
        .group_by(cases.c.lane)
        .order_by(cases.c.lane)
    )
    with tables.reading() as connection:
        yield from [Standing(*row) for row in connection.execute(query)]

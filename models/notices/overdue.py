"""Cases at the desk whose time limit has passed, for the supervisors of their office.

The desk's table is read without the desk's own code, which loads all that computes features: what tells people is to
stay small. tests/unit/models/notices/test_overdue.py reads what a desk has written.
"""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from models.access import accounts
from models.database import Instant, connect
from models.notices.event import Event, Found, Pages, moment, plain

_cases = sa.Table(
    "desk_cases",
    sa.MetaData(),
    sa.Column("number", sa.BigInteger),
    sa.Column("office", sa.String),
    sa.Column("lane", sa.String),
    sa.Column("due_at", Instant),
    sa.Column("closed_at", Instant),
)


class Overdue:
    """Reads the open cases in a database; `now` gives the instant by the desk's clock."""

    def __init__(self, database_uri: str, now: Callable[[], datetime]) -> None:
        self._engine, self._now = connect(database_uri), now

    def look(self, pages: Pages, cursor: str | None, now: datetime) -> Found:
        """Return an event for each open case that is late; a case that goes to another lane has another limit."""
        if not sa.inspect(self._engine).has_table(_cases.name):  # no desk was opened yet
            return Found([])
        late = sa.select(_cases).where(_cases.c.closed_at.is_(None), _cases.c.due_at < self._now())
        with self._engine.connect() as connection:
            return Found([_event(row, pages) for row in connection.execute(late.order_by(_cases.c.due_at))])


def _event(row: sa.Row, pages: Pages) -> Event:
    facts = {"case": str(row.number), "office": plain(row.office), "lane": row.lane, "due": moment(row.due_at)}
    return Event(
        "overdue",
        f"overdue/{row.number}/{row.due_at.isoformat()}",
        row.due_at,
        pages.case(row.number),
        facts,
        role=accounts.SUPERVISOR,
        office=row.office,
    )

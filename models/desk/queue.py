"""The queue of an office: what waits, by time limit, and who has which case in hand.

A case is held under a lease. Two people never hold one case: whoever takes it changes its row, and the row says who was
first. A lease that has ended is free for anybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from models.desk.cases import DESK
from models.desk.record import Case, Officer, Refused
from models.desk.shared import Shared, holder, is_blind, may_judge, may_see, require_held, require_open
from models.desk.tables import cases

PAGE = 50
# Made once, see shared.py.
_IS_FREE = sa.and_(cases.c.closed_at.is_(None), cases.c.holder.is_(None))
_IS_HELD = sa.and_(cases.c.closed_at.is_(None), cases.c.holder.is_not(None))
# The function keeps databases from gathering all cases of an office and sorting them: the index has them in order.
_OFFICE = sa.func.coalesce(cases.c.office, "")
_NEXT = (
    sa.select(cases.c.number)
    .where(_IS_FREE, _OFFICE.in_(sa.bindparam("offices", expanding=True)), is_blind(sa.bindparam("name")))
    .order_by(cases.c.due_at, cases.c.number)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_ENDED = (
    sa.select(cases.c.number, cases.c.holder, cases.c.lease_until)
    .where(_IS_HELD, cases.c.lease_until <= sa.bindparam("now"))
    .with_for_update(skip_locked=True)
)
_GIVE = (
    cases.update()
    .where(cases.c.number == sa.bindparam("case"))
    .values(holder=sa.bindparam("name"), lease_until=sa.bindparam("until"))
    .returning(cases)
)


class Count(msgspec.Struct, frozen=True):
    """Counts the open cases of an office in a lane: `free` ones that nobody holds, and `late` ones past their limit."""

    office: str
    lane: str
    waiting: int
    free: int
    late: int


@dataclass(frozen=True)
class Queue:
    """The open cases of offices."""

    shared: Shared

    def counts(self, officer: Officer) -> list[Count]:
        """Count the open cases of the officer's offices, by office and lane."""
        now = self.shared.now()
        is_free = sa.or_(cases.c.holder.is_(None), cases.c.lease_until <= now)
        query = (
            sa.select(
                cases.c.office,
                cases.c.lane,
                sa.func.count(),
                sa.func.sum(sa.case((is_free, 1), else_=0)),
                sa.func.sum(sa.case((cases.c.due_at < now, 1), else_=0)),
            )
            .where(cases.c.closed_at.is_(None), may_see(officer))
            .group_by(cases.c.office, cases.c.lane)
            .order_by(cases.c.office, cases.c.lane)
        )
        with self.shared.tables.reading() as connection:
            return [Count(*row) for row in connection.execute(query)]

    def page(
        self,
        officer: Officer,
        *,
        office: str | None = None,
        lane: str | None = None,
        held_by: str | None = None,
        after: tuple[datetime, int] | None = None,
        most: int = PAGE,
    ) -> list[Case]:
        """Return open cases of the officer's offices by time limit, up to `most`, after the `due_at` and number given.

        Only those of an `office`, of a `lane`, or that somebody holds, where these are given.
        """
        query = sa.select(cases).where(cases.c.closed_at.is_(None), may_see(officer))
        if office is not None:
            query = query.where(cases.c.office == office)
        if lane is not None:
            query = query.where(cases.c.lane == lane)
        if held_by is not None:
            query = query.where(cases.c.holder == held_by, cases.c.lease_until > self.shared.now())
        if after is not None:
            due_at, number = after
            is_next = sa.or_(cases.c.due_at > due_at, sa.and_(cases.c.due_at == due_at, cases.c.number > number))
            query = query.where(is_next)
        with self.shared.tables.reading() as connection:
            rows = connection.execute(query.order_by(cases.c.due_at, cases.c.number).limit(most)).all()
            return self.shared.listed(connection, list(rows))

    def take(self, officer: Officer, number: int) -> Case:
        """Give the officer a case, or a new lease on it if they hold it; Refused if somebody else holds it."""
        with self.shared.tables.writing() as connection:
            row = self.shared.row(connection, officer, number, to_judge=True)
            require_open(row)
            held_by = holder(row, self.shared.now())
            if held_by not in (None, officer.name):
                raise Refused(f"{held_by} holds case {number} until {self._legal(row.lease_until)}")
            if held_by is None and row.holder:
                self.shared.note(connection, number, DESK, "lease ended", row.holder, row.lease_until)
            return self._give(connection, number, officer, "took" if held_by is None else "renewed")

    def take_next(self, officer: Officer, offices: Sequence[str] = ()) -> Case | None:
        """Give the officer the free case with the nearest time limit, of some of their `offices` or all; None if none.

        Refused if an office is not theirs.
        """
        if others := sorted(set(offices) - set(officer.offices)):
            raise Refused(f"office {others[0]} is not yours; allowed: {', '.join(officer.offices) or 'none'}")
        with self.shared.tables.writing() as connection:
            self._end_leases(connection)
            wanted = {"offices": list(offices or officer.offices), "name": officer.name}
            number = connection.execute(_NEXT, wanted).scalar()
            return None if number is None else self._give(connection, number, officer, "took")

    def give_back(self, officer: Officer, number: int) -> None:
        """Put a case that the officer holds back into the queue."""
        with self.shared.tables.writing() as connection:
            row = self.shared.row(connection, officer, number)
            require_held(row, officer, self.shared.now())
            connection.execute(_of(number).values(holder=None, lease_until=None))
            self.shared.note(connection, number, officer.name, "gave back")

    def hand_over(self, officer: Officer, number: int, to: Officer) -> Case:
        """Give a case that the officer holds to another one; Refused if it is not the other's business.

        A supervisor hands over what anybody holds, or nobody.
        """
        with self.shared.tables.writing() as connection:
            row = self.shared.row(connection, officer, number)
            if officer.is_supervisor:
                require_open(row)
            else:
                require_held(row, officer, self.shared.now())
            allowed = sa.select(cases.c.number).where(cases.c.number == number, may_judge(to))
            if connection.execute(allowed).first() is None:
                raise Refused(f"case {number} cannot go to {to.name}")
            self.shared.note(connection, number, officer.name, "handed over", to.name)
            return self._give(connection, number, to, "received")

    def _give(self, connection: sa.Connection, number: int, officer: Officer, action: str) -> Case:
        given = {"case": number, "name": officer.name, "until": self.shared.now() + self.shared.lease}
        row = connection.execute(_GIVE, given).one()
        self.shared.note(connection, number, officer.name, action)
        return self.shared.case(connection, row)

    def _end_leases(self, connection: sa.Connection) -> None:
        """Free what was held too long; what another transaction is about is left to it."""
        for number, held_by, until in connection.execute(_ENDED, {"now": self.shared.now()}).all():
            connection.execute(_of(number).values(holder=None, lease_until=None))
            self.shared.note(connection, number, DESK, "lease ended", held_by, until)

    def _legal(self, at: datetime) -> str:
        return at.astimezone(self.shared.now().tzinfo).isoformat(timespec="minutes")


def _of(number: int) -> sa.Update:
    return cases.update().where(cases.c.number == number)

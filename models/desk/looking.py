"""An officer opens a case, gives a first impression, and may then see what the model says.

Where the policy says so, the score is hidden until the first impression. In a second look it stays hidden until the
finding; and so that this tells nobody which case is one, it does so in as large a share of all other cases, by lot.
"""

import json
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from models.desk.filing import filed
from models.desk.record import CLEAR, SUSPICIOUS, Case, Event, Filed, Officer, Refused, Told
from models.desk.shared import SECOND, Shared, require_worked_on
from models.desk.tables import events, items

UNTIL_IMPRESSION, UNTIL_FINDING = "impression", "finding"


class Opened(msgspec.Struct, frozen=True):
    """A case that was opened: what was done to it and found, oldest first.

    `impression` is the officer's own first one. `hidden_until` says what the officer has to give before the score is
    told: an impression, a finding, or nothing more.
    """

    case: Case
    history: tuple[Event, ...]
    findings: tuple[Filed, ...]
    impression: str | None
    hidden_until: str | None


@dataclass(frozen=True)
class Looking:
    """Shows cases."""

    shared: Shared

    def open(self, officer: Officer, number: int) -> Opened:
        """Return a case with its history, and write down who looked.

        Refused if it is not the officer's business. A closed case is open to those who worked on it, and to
        supervisors.
        """
        with self.shared.tables.writing() as connection:
            row = self.shared.readable(connection, officer, number)
            self.shared.note(connection, number, officer.name, "looked")
            query = sa.select(events).where(events.c.case_number == number).order_by(events.c.number)
            zone = self.shared.now().tzinfo
            history = tuple(
                Event(each.at.astimezone(zone), each.actor, each.action, each.words)
                for each in connection.execute(query)
            )
            return Opened(
                self.shared.case(connection, row),
                history,
                filed(connection, number),
                self._impression(connection, officer, number),
                self._hidden_until(connection, officer, row),
            )

    def give_impression(self, officer: Officer, number: int, impression: str) -> None:
        """Keep the first impression, clear or suspicious, of an officer who has, or had, the case in hand.

        Refused if they gave another one before, or have seen the score.
        """
        if impression not in (CLEAR, SUSPICIOUS):
            raise Refused(f"impression is {impression!r}; allowed: {CLEAR}, {SUSPICIOUS}")
        with self.shared.tables.writing() as connection:
            self.shared.row(connection, officer, number)
            require_worked_on(connection, officer, number)
            before = self._impression(connection, officer, number)
            if before is None and self._did(connection, officer, number, "saw the score"):
                raise Refused(f"case {number}: a first impression comes before the score, and you have seen it")
            if before not in (None, impression):
                raise Refused(f"case {number}: your first impression was {before}; allowed: one, which stays")
            if before is None:
                self.shared.note(connection, number, officer.name, "impression", impression)

    def tell(self, officer: Officer, number: int) -> list[Told]:
        """Return what the model says of each item, and write down who was told; Refused while it is hidden."""
        with self.shared.tables.writing() as connection:
            row = self.shared.readable(connection, officer, number)
            hidden_until = self._hidden_until(connection, officer, row)
            if hidden_until is not None:
                raise Refused(f"the score of case {number} is told after your {hidden_until}")
            self.shared.note(connection, number, officer.name, "saw the score")
            query = sa.select(items).where(items.c.case_number == number).order_by(items.c.item_number)
            return [
                Told(
                    each.item_number, each.score, each.critical, each.expected_revenue, tuple(json.loads(each.reasons))
                )
                for each in connection.execute(query)
            ]

    def _hidden_until(self, connection: sa.Connection, officer: Officer, row: sa.Row) -> str | None:
        if officer.is_supervisor:
            return None
        is_withheld = row.look == SECOND or self.shared.draw("score", row.number) < self.shared.rules.second_look_share
        if is_withheld and not any(each.officer == officer.name for each in filed(connection, row.number)):
            return UNTIL_FINDING
        if self.shared.rules.is_score_hidden and self._impression(connection, officer, row.number) is None:
            return UNTIL_IMPRESSION
        return None

    def _impression(self, connection: sa.Connection, officer: Officer, number: int) -> str | None:
        return connection.execute(_by(officer, number, "impression")).scalar()

    def _did(self, connection: sa.Connection, officer: Officer, number: int, action: str) -> bool:
        return connection.execute(_by(officer, number, action)).first() is not None


def _by(officer: Officer, number: int, action: str) -> sa.Select[tuple[str]]:
    own = sa.and_(events.c.case_number == number, events.c.actor == officer.name, events.c.action == action)
    return sa.select(events.c.words).where(own).order_by(events.c.number).limit(1)

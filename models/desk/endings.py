"""How work on a case ends: it is released, passed to another lane, or released without an inspection, with a reason.

What makes a red case less than red takes a second person: the first one asks, and another confirms. Some of the closed
cases come back as a second look, for somebody else.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from models.desk.cases import DESK
from models.desk.filing import items_of, judgement, last_number
from models.desk.record import GREEN, LONGEST, OVERRIDDEN, RELEASED, Case, Officer, Refused, rank
from models.desk.shared import SECOND, Shared, holder, require_held, require_open, require_supervisor
from models.desk.tables import cases, items
from models.policy import LANES

RED = LANES[0]


@dataclass(frozen=True)
class Endings:
    """Ends work on cases."""

    shared: Shared

    def release(self, officer: Officer, number: int) -> Case:
        """Close a case that the officer holds, and of which every inspected item is judged; Refused if one is not."""
        with self.shared.tables.writing() as connection:
            row = self._held(connection, officer, number)
            if missing := _not_judged(connection, number):
                raise Refused(
                    f"nothing was found yet of item {', '.join(map(str, missing))} of case {number}; allowed: a "
                    "finding for each, or an override with its reason"
                )
            return self._close(connection, row, officer.name, RELEASED, "")

    def release_judged(self, officer: Officer, number: int, name: str) -> bool:
        """Close a case that `name` judged in another case system, on a supervisor's word; return whether it did.

        A case that somebody has in hand here, that is closed, or of which an item is not judged, stays as it is.
        """
        require_supervisor(officer)
        with self.shared.tables.writing() as connection:
            row = self.shared.row(connection, officer, number)
            if row.closed_at is not None or holder(row, self.shared.now()) or _not_judged(connection, number):
                return False
            self._close(connection, row, name, RELEASED, f"brought in by {officer.name}")
            return True

    def override(self, officer: Officer, number: int, reason: str) -> Case:
        """Close a case without findings; of a red one, ask for it: somebody else has to confirm."""
        with self.shared.tables.writing() as connection:
            row = self._held(connection, officer, number)
            _require_words(reason)
            if row.lane == RED:
                return self._ask(connection, row, officer, GREEN, reason)
            return self._close(connection, row, officer.name, OVERRIDDEN, reason)

    def pass_on(self, officer: Officer, number: int, lane: str, reason: str) -> Case:
        """Put a case into another lane and back into the queue; to make a red one less, ask for it."""
        with self.shared.tables.writing() as connection:
            row = self._held(connection, officer, number)
            _require_words(reason)
            if rank(lane) == rank(row.lane) or lane == GREEN:
                others = ", ".join(other for other in LANES if other != row.lane)
                raise Refused(f"lane is {lane!r}; allowed: {others}")
            if row.lane == RED:
                return self._ask(connection, row, officer, lane, reason)
            return self._pass(connection, row, officer.name, lane, reason)

    def confirm(self, officer: Officer, number: int, words: str = "") -> Case:
        """Do what somebody else has asked for; Refused to the one who asked."""
        with self.shared.tables.writing() as connection:
            row = self._asked(connection, officer, number)
            if row.asked_by == officer.name:
                raise Refused(f"you asked for {row.asked_lane} yourself; allowed: somebody else")
            self.shared.note(connection, number, officer.name, "confirmed", words)
            if row.asked_lane == GREEN:
                return self._close(connection, row, row.asked_by, OVERRIDDEN, f"confirmed by {officer.name}")
            return self._pass(connection, row, row.asked_by, row.asked_lane, f"confirmed by {officer.name}")

    def decline(self, officer: Officer, number: int, words: str = "") -> Case:
        """Leave a red case as it is; whoever asked may withdraw in the same way."""
        with self.shared.tables.writing() as connection:
            self._asked(connection, officer, number)
            self.shared.note(connection, number, officer.name, "declined", words)
            return self._change(connection, number, asked_lane=None, asked_by=None)

    def _held(self, connection: sa.Connection, officer: Officer, number: int) -> sa.Row:
        row = self.shared.row(connection, officer, number)
        require_held(row, officer, self.shared.now())
        return row

    def _asked(self, connection: sa.Connection, officer: Officer, number: int) -> sa.Row:
        row = self.shared.row(connection, officer, number)
        require_open(row)
        if row.asked_lane is None:
            raise Refused(f"nobody has asked for another lane of case {number}")
        return row

    def _ask(self, connection: sa.Connection, row: sa.Row, officer: Officer, lane: str, reason: str) -> Case:
        self.shared.note(connection, row.number, officer.name, "asked", f"{lane}: {reason}")
        return self._change(connection, row.number, asked_lane=lane, asked_by=officer.name)

    def _pass(self, connection: sa.Connection, row: sa.Row, actor: str, lane: str, reason: str) -> Case:
        # Items that are inspected follow their case: up to a lane that detects more, or down to one that detects less.
        order = (*LANES, GREEN)
        is_raised = rank(lane) < rank(row.lane)
        follow = order[rank(lane) + 1 : -1] if is_raised else order[: rank(lane)]
        changed: dict[str, object] = {"lane": lane}
        if is_raised:  # what was found in papers clears no goods
            changed["after_finding"] = last_number(connection, row.number)
        moved = items.update().where(items.c.case_number == row.number, items.c.lane.in_(follow))
        connection.execute(moved.values(**changed))
        self.shared.note(connection, row.number, actor, "passed", f"from {row.lane} to {lane}: {reason}")
        return self._change(
            connection,
            row.number,
            lane=lane,
            due_at=self.shared.due_at(lane, self.shared.now()),
            holder=None,
            lease_until=None,
            asked_lane=None,
            asked_by=None,
        )

    def _close(self, connection: sa.Connection, row: sa.Row, actor: str, ending: str, words: str) -> Case:
        self.shared.note(connection, row.number, actor, ending, words)
        if ending == RELEASED:
            self._draw_second_look(connection, row)
        return self._change(
            connection,
            row.number,
            closed_at=self.shared.now(),
            closed_by=actor,
            ending=ending,
            holder=None,
            lease_until=None,
            asked_lane=None,
            asked_by=None,
        )

    def _draw_second_look(self, connection: sa.Connection, row: sa.Row) -> None:
        """Open the case again for somebody else, if chance says so; once, however often the declaration is released."""
        if self.shared.draw("second look", row.number) >= self.shared.rules.second_look_share:
            return
        again = sa.and_(cases.c.declaration_id == row.declaration_id, cases.c.look == SECOND)
        if connection.execute(sa.select(cases.c.number).where(again)).first():
            return
        copied = ("declaration_id", "decision_id", "version", "office", "lane", "accepted_at")
        now = self.shared.now()
        second = {name: getattr(row, name) for name in copied} | {
            "look": SECOND,
            "opened_at": now,
            "due_at": self.shared.due_at(row.lane, now),
        }
        number = connection.execute(cases.insert().values(second).returning(cases.c.number)).scalar_one()
        rest = [column for column in items.c if column.name != "case_number"]
        source = sa.select(sa.literal(number), *rest).where(items.c.case_number == row.number)
        connection.execute(items.insert().from_select(["case_number", *(column.name for column in rest)], source))
        self.shared.note(connection, number, DESK, "opened")

    def _change(self, connection: sa.Connection, number: int, **values: object) -> Case:
        changed = cases.update().where(cases.c.number == number).values(**values).returning(cases)
        return self.shared.case(connection, connection.execute(changed).one())


def _not_judged(connection: sa.Connection, number: int) -> list[int]:
    """Return the inspected items of a case of which its findings say nothing yet."""
    found = judgement(connection, number)
    return [
        item.item_number for item in items_of(connection, number) if item.is_inspected and item.item_number not in found
    ]


def _require_words(reason: str) -> None:
    if not reason.strip() or len(reason) > LONGEST:
        raise Refused(f"reason has {len(reason)} characters; allowed: 1 to {LONGEST}, not only blanks")

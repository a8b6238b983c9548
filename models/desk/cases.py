"""Cases are opened: one for each declaration that the window, or the night, has put into a lane.

The desk follows the log of decisions, and that of the night's selections, each by a cursor, which moves in one
transaction with the cases that come of it. So any process may call this at any time, and each case is opened once. Not
here: second looks (second_look.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from models.decisions import Decision, DecisionLog
from models.desk.filing import last_number
from models.desk.night import Night, Selected, in_a_lane
from models.desk.record import GREEN, rank
from models.desk.shared import Shared
from models.desk.tables import cases, cursors, items

DESK = "desk"  # who acts where nobody does
PAGE = 100  # declarations in one transaction: SQLite makes the window wait meanwhile
_DECISIONS, _SELECTIONS = "decisions", "selections"
_ITEM = ("item_number", "lane", "reason", "probability", "score", "critical", "expected_revenue")


@dataclass(frozen=True)
class Cases:
    """Opens cases."""

    shared: Shared

    def follow(self, log: DecisionLog) -> int:
        """Open the cases that follow from decisions not seen yet, raise those of amended declarations; return how many.

        Green declarations have no case. A later version raises the lane of a case, and never lowers it; if it raises a
        closed one, that is open again.
        """
        count = 0
        while (opened := self.follow_page(log)) is not None:
            count += opened
        return count

    def follow_page(self, log: DecisionLog) -> int | None:
        """Do what `follow` does for the next PAGE decisions at most; return how many, or None if none was left."""
        last = self._last(_DECISIONS)
        decisions = log.after(last, PAGE)
        if not decisions:
            return None
        accepted = {each.declaration_id: _accepted_at(log, each) for _, each in decisions}
        with self.shared.tables.writing() as connection:
            if _locked(connection, _DECISIONS) != last:  # another process was faster
                return 0
            _move(connection, _DECISIONS, decisions[-1][0])
            return sum(self._follow(connection, decision, accepted) for _, decision in decisions)

    def follow_night(self, night: Night, log: DecisionLog) -> int:
        """Open a case for each declaration that the night has put into a lane since it was last seen; return how many.

        Passed over are declarations that `log` knows, since what the window handed over is in the night's log too, and
        those that have a case. So is what was selected longer ago than the longest time limit of a lane: a desk that
        opens after years of nights begins with what is still to be done. A selection in the future by the desk's clock
        waits for its time, as those of real nights do on played days. ValueError names a selected item that is not
        stored; it waits too, with all that was selected after it.
        """
        count, last = 0, self._last(_SELECTIONS)
        for number, rows in night.selections.after(last):
            now = self.shared.now().astimezone(UTC)
            if rows.select((pl.col("selected_at") > now).any()).item():
                break
            told = in_a_lane(rows.filter(pl.col("selected_at") > now - self.shared.longest))
            decided = log.decided(told["declaration_id"].unique().to_list())
            selected = night.selected(told.filter(~pl.col("declaration_id").is_in(list(decided))))
            opened = self._open_selected(selected, last, number)
            if opened is None:
                break
            count, last = count + opened, number
        return count

    def _open_selected(self, selected: Sequence[Selected], last: int, number: int) -> int | None:
        """Open cases and move the cursor on with the last of them; return how many, or None if it has moved already."""
        count = 0
        for start in range(0, len(selected) or 1, PAGE):
            page = selected[start : start + PAGE]
            with self.shared.tables.writing() as connection:
                if _locked(connection, _SELECTIONS) != last:  # another process was faster
                    return None
                _locked(connection, _DECISIONS)  # so that no decision opens a case of the same declaration meanwhile
                new = [each for each in page if self._known(connection, each.declaration_id) is None]
                for each in new:
                    case = {
                        "declaration_id": each.declaration_id,
                        "decision_id": None,
                        "version": 1,
                        "office": each.office,
                        "lane": each.lane,
                        "accepted_at": each.accepted_at,
                        "opened_at": each.selected_at,
                    }
                    rows = [{name: item[name] for name in _ITEM} | {"reasons": "[]"} for item in each.items]
                    self._open(connection, case, rows)
                if start + PAGE >= len(selected):
                    _move(connection, _SELECTIONS, number)
            count += len(new)
        return count

    def _last(self, name: str) -> int:
        with self.shared.tables.reading() as connection:
            return connection.execute(_seen(name)).scalar_one()

    def _follow(self, connection: sa.Connection, decision: Decision, accepted: Mapping[str, datetime]) -> int:
        known = self._known(connection, decision.declaration_id)
        rows = [
            {name: getattr(item, name) for name in _ITEM}
            | {"reasons": json.dumps([reason.sentence for reason in item.reasons])}
            for item in decision.items
        ]
        if known is not None:
            if decision.version > known.version:
                self._amend(connection, known, decision, rows)
            return 0
        if decision.lane == GREEN:
            return 0
        self._open(
            connection,
            {
                "declaration_id": decision.declaration_id,
                "decision_id": decision.decision_id,
                "version": decision.version,
                "office": decision.office,
                "lane": decision.lane,
                "accepted_at": accepted[decision.declaration_id],
                "opened_at": decision.received_at,
            },
            rows,
        )
        return 1

    def _known(self, connection: sa.Connection, declaration_id: str) -> sa.Row | None:
        query = sa.select(cases).where(cases.c.declaration_id == declaration_id, cases.c.look == 1)
        return connection.execute(query.with_for_update()).first()

    def _open(self, connection: sa.Connection, case: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
        due_at = self.shared.due_at(str(case["lane"]), case["opened_at"])
        number = connection.execute(
            cases.insert().values(**case, look=1, due_at=due_at).returning(cases.c.number)
        ).scalar_one()
        connection.execute(items.insert(), [{"case_number": number, "after_finding": 0, **row} for row in rows])
        self.shared.note(connection, number, DESK, "opened", at=case["opened_at"])

    def _amend(
        self, connection: sa.Connection, known: sa.Row, decision: Decision, rows: Sequence[dict[str, Any]]
    ) -> None:
        """Bring a case to a later version of its declaration."""
        query = sa.select(items.c.item_number, items.c.lane).where(items.c.case_number == known.number)
        lanes: dict[int, str] = {row.item_number: row.lane for row in connection.execute(query)}
        last, is_raised = last_number(connection, known.number), False
        for row in rows:
            before = lanes.get(row["item_number"], GREEN)
            lane = min(before, row["lane"], key=rank)
            changed: dict[str, Any] = {**row, "lane": lane}
            if lane != before:
                is_raised, changed["after_finding"] = True, last
            if row["item_number"] in lanes:
                of_item = sa.and_(items.c.case_number == known.number, items.c.item_number == row["item_number"])
                connection.execute(items.update().where(of_item).values(**changed))
            else:
                connection.execute(items.insert().values({"after_finding": 0, **changed}, case_number=known.number))
        lane = min(known.lane, decision.lane, key=rank)
        told: dict[str, Any] = {
            "version": decision.version,
            "decision_id": decision.decision_id,
            "office": decision.office,
            "lane": lane,
            "asked_lane": None,
            "asked_by": None,
        }
        words = f"version {decision.version}"
        if lane != known.lane:
            told["due_at"] = min(known.due_at, self.shared.due_at(lane, decision.received_at))
            words += f": from {known.lane} to {lane}"
        if is_raised and known.closed_at is not None:
            told |= {"closed_at": None, "closed_by": None, "ending": None, "holder": None, "lease_until": None}
            told["due_at"] = self.shared.due_at(lane, decision.received_at)
            words += "; open again"
        connection.execute(cases.update().where(cases.c.number == known.number).values(**told))
        self.shared.note(connection, known.number, DESK, "amended", words, at=decision.received_at)


def _seen(name: str) -> sa.Select[tuple[int]]:
    return sa.select(cursors.c.number).where(cursors.c.name == name)


def _locked(connection: sa.Connection, name: str) -> int:
    """Return a cursor's number, which nobody else moves until the transaction ends."""
    return connection.execute(_seen(name).with_for_update()).scalar_one()


def _move(connection: sa.Connection, name: str, number: int) -> None:
    connection.execute(cursors.update().where(cursors.c.name == name).values(number=number))


def _accepted_at(log: DecisionLog, decision: Decision) -> datetime:
    """Return when the first version of the declaration was accepted, in legal time: that is when it counts from."""
    first = decision if decision.version == 1 else log.versions(decision.declaration_id)[0]
    return datetime.fromisoformat(first.declared[0]["accepted_at"])

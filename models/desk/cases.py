"""Cases are opened: one for each declaration that the window, or the night, has put into a lane.

The desk follows the log of decisions by a cursor, which moves in one transaction with the cases that come of it. So
any process may call this at any time, and each case is opened once. Not here: second looks (second_look.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.contract import KEY
from models.decisions import Decision, DecisionLog
from models.desk.filing import last_number
from models.desk.record import GREEN, rank
from models.desk.shared import Shared
from models.desk.tables import cases, cursors, items

DESK = "desk"  # who acts where nobody does
_PAGE = 100  # decisions in one transaction: SQLite makes the window wait meanwhile
_DECISIONS = "decisions"
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
        cursor = sa.select(cursors.c.number).where(cursors.c.name == _DECISIONS)
        while True:
            with self.shared.tables.reading() as connection:
                last = connection.execute(cursor).scalar_one()
            decisions = log.after(last, _PAGE)
            if not decisions:
                return count
            accepted = {each.declaration_id: _accepted_at(log, each) for _, each in decisions}
            with self.shared.tables.writing() as connection:
                if connection.execute(cursor.with_for_update()).scalar_one() == last:  # or another process was faster
                    count += sum(self._follow(connection, decision, accepted) for _, decision in decisions)
                    moved = cursors.update().where(cursors.c.name == _DECISIONS)
                    connection.execute(moved.values(number=decisions[-1][0]))

    def open_selected(self, selected: pl.DataFrame, declarations: pl.DataFrame) -> int:
        """Open a case for each selected declaration that has none yet; return how many.

        `selected` has rows of the selection log, and `declarations` the contract's `accepted_at` of them. ValueError
        names a selected item that is not among them.
        """
        rows = selected.join(declarations.select(*KEY, "accepted_at"), on=KEY, how="left", maintain_order="left")
        for name, item in rows.filter(pl.col("accepted_at").is_null()).select(KEY).iter_rows():
            raise ValueError(f"declaration {name} item {item} was selected and is not among the declarations given")
        count = 0
        for (declaration_id,), own in rows.group_by("declaration_id", maintain_order=True):
            told = own.rename({"selection_probability": "probability"}).to_dicts()
            lane = min((item["lane"] for item in told), key=rank)
            if lane == GREEN:
                continue
            with self.shared.tables.writing() as connection:
                if self._known(connection, str(declaration_id)) is None:
                    first = told[0]
                    self._open(
                        connection,
                        {
                            "declaration_id": declaration_id,
                            "decision_id": None,
                            "version": 1,
                            "office": first["office"],
                            "lane": lane,
                            "accepted_at": first["accepted_at"],
                            "opened_at": first["selected_at"],
                        },
                        [{name: item[name] for name in _ITEM} | {"reasons": "[]"} for item in told],
                    )
                    count += 1
        return count

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


def _accepted_at(log: DecisionLog, decision: Decision) -> datetime:
    """Return when the first version of the declaration was accepted, in legal time: that is when it counts from."""
    first = decision if decision.version == 1 else log.versions(decision.declaration_id)[0]
    return datetime.fromisoformat(first.declared[0]["accepted_at"])

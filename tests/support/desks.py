"""Desks for tests: with a clock that is set by hand, and decisions that put invented declarations into lanes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from features.contract import schema
from features.store.store import Store
from models.decisions import DecisionLog
from models.decisions.record import Decision, linked
from models.desk import Desk, Finding, Night, Officer
from models.policy import Desk as Rules
from models.targeting import selection_log
from tests.support import stores
from tests.support.decided import decision

ZONE = ZoneInfo("Asia/Seoul")
NOON = datetime(2024, 5, 2, 12, tzinfo=ZONE)
SECRET = bytes(31) + b"\1"
ANA, BEN, CLEO = (Officer(name, ("010",)) for name in ("ana", "ben", "cleo"))
SUE = Officer("sue", ("010", "020"), is_supervisor=True)
ELSEWHERE = Officer("eve", ("020",))


@dataclass
class Clock:
    """A clock that goes on only when it is told to."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def wait(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class World:
    """A desk with its clock and its log of decisions."""

    desk: Desk
    log: DecisionLog
    clock: Clock
    keys: list[str] = field(default_factory=list)

    def decide(self, *decisions: Decision) -> None:
        """Put decisions into the log, as the window does."""
        head = self.log.head()
        self.log.append(list(linked(decisions, head.number, head.hash)), {})

    def declare(self, *lanes: str, office: str = "010", **changed: object) -> list[int]:
        """Have the window put a declaration into each lane, follow it, and return the cases' numbers in that order."""
        number = self.log.head().number
        made = [placed(number + place, lane, office=office, **changed) for place, lane in enumerate(lanes, 1)]
        self.decide(*made)
        self.desk.cases.follow(self.log)
        ids = [each.declaration_id for each in made]
        found = {case.declaration_id: case.number for case in self.every()}
        return [found[each] for each in ids if each in found]

    def every(self):
        return self.desk.queue.page(Officer("nobody", ("010", "020"), is_supervisor=True), most=100_000)

    def finding(self, case: int, **told: object) -> Finding:
        """Return a finding under a key of its own."""
        self.keys.append(f"key-{len(self.keys) + 1}")
        return Finding(**{"key": self.keys[-1], "case": case, "found_at": self.clock()} | told)

    def close(self, officer: Officer, number: int, **told: object) -> None:
        """Have an officer take a case, find nothing or what is told, and release it."""
        self.desk.queue.take(officer, number)
        if told:
            self.desk.findings.add(officer, self.finding(number, **told))
        self.desk.findings.add(officer, self.finding(number))
        self.desk.endings.release(officer, number)


def world(folder: Path, rules: Rules = Rules(), uri: str | None = None) -> World:  # noqa: B008  it is frozen
    """Return a desk in a folder, or at a database address."""
    uri = uri or f"sqlite:///{folder / 'decisions.db'}"
    clock = Clock()
    log = DecisionLog(uri)
    log.migrate()
    desk = Desk(uri, rules, SECRET, folder / "photos", clock)
    desk.migrate()
    return World(desk, log, clock)


def placed(
    number: int,
    lane: str = "red",
    *,
    office: str = "010",
    declaration_id: str | None = None,
    version: int = 1,
    lanes: Sequence[str] | None = None,
    **changed: object,
) -> Decision:
    """Return a decision that puts a declaration of two items into a lane: the first, or both as `lanes` say."""
    made = decision(number, declaration_id=declaration_id, version=version, office=office)
    items = tuple(
        msgspec.structs.replace(item, lane=own) for item, own in zip(made.items, lanes or (lane, "green"), strict=True)
    )
    declared = tuple({**each, "accepted_at": "2024-05-02T09:00:00"} for each in made.declared)
    at = NOON - timedelta(hours=1) + timedelta(seconds=number)
    return msgspec.structs.replace(made, **{"items": items, "declared": declared, "received_at": at} | changed)


def night(folder: Path) -> Night:
    """Return what is selected at night in a folder: nothing yet."""
    return Night(selection_log.SelectionLog(folder / "selections"), Store(folder / "store"))


def store(night: Night, *items: tuple[str, int], **declared: object) -> None:
    """Store items of declarations that were accepted on the day of NOON, with what else they declare."""
    before = night.store.scan("declarations").select(schema("declarations").names()).collect().to_dicts()
    rows = [
        {"declaration_id": name, "item_number": item, "accepted_at": datetime(2024, 5, 2, 8), **declared}
        for name, item in items
    ]
    stores.put(night.store, "declarations", before + rows)


def select(night: Night, *items: tuple[str, int, str], at: datetime = NOON) -> None:
    """Have the night put items of declarations into lanes, all at an instant."""
    usual = {
        "accepted_on": at.date(),
        "office": "010",
        "reason": "value",
        "selection_probability": 0.5,
        "score": 0.25,
        "selected_at": at.astimezone(UTC),
    }
    told = [usual | {"declaration_id": name, "item_number": item, "lane": lane} for name, item, lane in items]
    night.selections.append(pl.DataFrame(told, schema=selection_log.SCHEMA))

"""How often officers depart from what was recommended, and why: cases passed to another lane, or released unseen.

What is recommended is the lane in which a case was opened, or to which an amended declaration has raised it. A case
counts where it was closed in the time, and once, however often its officers departed; second looks are left out.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from models.desk.record import OVERRIDDEN, Officer, rank
from models.desk.shared import SECOND, Shared, require_supervisor
from models.desk.tables import cases, events

RAISED, LOWERED = "raised", "lowered"
KINDS = (OVERRIDDEN, RAISED, LOWERED)
_PASSED = re.compile(r"from (\w+) to (\w+): (.*)", re.DOTALL)  # as endings.py writes it
_CONFIRMED = re.compile(r"confirmed by .+")


class Departure(msgspec.Struct, frozen=True):
    """One departure: `kind` is one of KINDS, `lane` what was recommended, and `reason` the officer's own words."""

    case: int
    office: str
    lane: str
    at: datetime
    officer: str
    kind: str
    reason: str


class LaneDepartures(msgspec.Struct, frozen=True):
    """Counts cases closed at an office that were recommended for a lane, and how many were departed from, and how.

    A case that was raised and lowered counts in both, and once in `departed`.
    """

    office: str
    lane: str
    closed: int
    departed: int
    overridden: int
    raised: int
    lowered: int


@dataclass(frozen=True)
class Departures:
    """Departures, for supervisors."""

    shared: Shared

    def between(
        self, officer: Officer, since: datetime, until: datetime
    ) -> tuple[list[LaneDepartures], list[Departure]]:
        """Return the departures in cases of the supervisor's offices closed from `since` to `until`.

        They are counted by office and lane, and told one by one, the latest first. Refused to an officer who supervises
        nothing.
        """
        require_supervisor(officer)
        was_closed = sa.and_(
            cases.c.office.in_(officer.offices),
            cases.c.look != SECOND,
            cases.c.closed_at >= since,
            cases.c.closed_at < until,
        )
        of_cases = events.c.case_number.in_(sa.select(cases.c.number).where(was_closed))
        told = events.c.action.in_(("asked", "passed", OVERRIDDEN))
        with self.shared.tables.reading() as connection:
            closed = connection.execute(sa.select(cases).where(was_closed)).all()
            noted = defaultdict(list)
            for event in connection.execute(sa.select(events).where(of_cases, told).order_by(events.c.number)):
                noted[event.case_number].append(event)
        found = {case.number: list(_departures(case, noted[case.number])) for case in closed}
        every = [each for own in found.values() for each in own]
        return list(_counted(closed, found)), sorted(every, key=lambda each: (each.at, each.case), reverse=True)


def _departures(case: sa.Row, noted: Iterable[sa.Row]) -> Iterator[Departure]:
    lane, asked = _recommended(case, noted), ""
    for event in noted:
        if event.action == "asked":
            asked = event.words.partition(": ")[2]
            continue
        kind, reason = OVERRIDDEN, event.words
        if passed := _PASSED.fullmatch(event.words) if event.action == "passed" else None:
            before, after, reason = passed.groups()
            kind = RAISED if rank(after) < rank(before) else LOWERED
        if asked and _CONFIRMED.fullmatch(reason):
            reason = asked
        yield Departure(case.number, case.office, lane, event.at, event.actor, kind, reason)


def _recommended(case: sa.Row, noted: Iterable[sa.Row]) -> str:
    passed = (_PASSED.fullmatch(event.words) for event in noted if event.action == "passed")
    return next((found[1] for found in passed if found), case.lane)


def _counted(closed: Sequence[sa.Row], found: dict[int, list[Departure]]) -> Iterator[LaneDepartures]:
    kinds = defaultdict(list)
    for case in closed:
        own = found[case.number]
        kinds[case.office, own[0].lane if own else case.lane].append({each.kind for each in own})
    for (office, lane), of_cases in sorted(kinds.items(), key=lambda each: (each[0][0], rank(each[0][1]))):
        counts = {kind: sum(kind in own for own in of_cases) for kind in KINDS}
        yield LaneDepartures(office, lane, len(of_cases), sum(bool(own) for own in of_cases), **counts)

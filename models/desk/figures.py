"""A supervisor's figures: what waits, what was found against what was expected, how long it took, and what chance saw.

Every record says from when to when it is. Cases count where they were closed in that time; second looks at what others
judged are left out, except of hours.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import sqlalchemy as sa

from models.desk.filing import Item, Numbers, judged, standing_of
from models.desk.record import RELEASED, Officer
from models.desk.shared import SECOND, Shared, require_supervisor
from models.desk.tables import cases, events, items

_RANDOM = "random"
_BEGINS = ("took", "received")
_ENDS = ("gave back", "handed over", "lease ended", "passed", "released", "overridden")


class Waiting(msgspec.Struct, frozen=True):
    """The open cases of a lane at the end of the time: how many, how many of them late, and the oldest one's age."""

    open: int
    late: int
    oldest_hours: float | None


class LaneFigures(msgspec.Struct, frozen=True):
    """An office's lane. Figures that need a case are None without one.

    Of the cases closed in the time: how many were `released` with findings and `overridden` without; the hours from
    opening to closing of half and of nine tenths of them. Of the items judged that have a score: how many infringed
    (`hits`), and how many the scores let expect. `unscored` items are judged, and have no score to be compared with.
    """

    office: str
    lane: str
    waiting: Waiting
    released: int
    overridden: int
    median_hours: float | None
    ninth_tenth_hours: float | None
    scored: int
    hits: int
    expected_hits: float
    unscored: int
    unscored_hits: int


class ChanceFigures(msgspec.Struct, frozen=True):
    """Says how far an office is with what chance drew and was opened in the time: judged, closed without, or open."""

    office: str
    drawn: int
    judged: int
    overridden: int
    open: int


class Figures(msgspec.Struct, frozen=True):
    """The figures of offices from `since` to `until`; `hours` is how long each officer had cases in hand."""

    since: datetime
    until: datetime
    lanes: tuple[LaneFigures, ...]
    chance: tuple[ChanceFigures, ...]
    hours: dict[str, float]


@dataclass(frozen=True)
class Supervision:
    """Figures, for supervisors."""

    shared: Shared

    def offices(self) -> dict[str, datetime]:
        """Return the offices that have cases, each with the instant at which its first one was opened."""
        query = sa.select(cases.c.office, sa.func.min(cases.c.opened_at).label("first")).group_by(cases.c.office)
        with self.shared.tables.reading() as connection:
            return {row.office: row.first for row in connection.execute(query.order_by(cases.c.office))}

    def figures(self, officer: Officer, since: datetime, until: datetime) -> Figures:
        """Return the figures of the supervisor's offices; `until` is no later than now, or Refused as others are."""
        require_supervisor(officer)
        until = min(until, self.shared.now())
        with self.shared.tables.reading() as connection:
            return Figures(
                since,
                until,
                tuple(_lanes(connection, officer.offices, since, until)),
                tuple(_chance(connection, officer.offices, since, until)),
                _hours(connection, officer.offices, since, until),
            )


def _lanes(
    connection: sa.Connection, offices: Sequence[str], since: datetime, until: datetime
) -> Iterable[LaneFigures]:
    ours = sa.and_(cases.c.office.in_(offices), cases.c.look != SECOND)
    was_open = sa.and_(ours, cases.c.opened_at < until, sa.or_(cases.c.closed_at.is_(None), cases.c.closed_at >= until))
    was_closed = sa.and_(ours, cases.c.closed_at >= since, cases.c.closed_at < until)
    waiting, closed = defaultdict(list), defaultdict(list)
    for row in connection.execute(sa.select(cases).where(was_open)):
        waiting[row.office, row.lane].append(row)
    for row in connection.execute(sa.select(cases).where(was_closed)):
        closed[row.office, row.lane].append(row)
    judged_items = _judged_items(connection, sa.select(cases.c.number).where(was_closed))
    for key in sorted(waiting.keys() | closed.keys()):
        told = [item for case in closed[key] for item in judged_items[case.number]]
        yield _lane(*key, waiting[key], closed[key], told, until)


def _judged_items(connection: sa.Connection, numbers: Numbers) -> dict[int, list[tuple[float | None, bool]]]:
    """Return the score of each judged item of the numbered cases, and whether it infringed."""
    found, of_case = standing_of(connection, numbers), defaultdict(list)
    for row in connection.execute(sa.select(items).where(items.c.case_number.in_(numbers))):
        of_case[row.case_number].append(row)
    told = defaultdict(list)
    for number, own in of_case.items():
        result = judged(found.get(number, ()), [Item(item.item_number, item.lane, item.after_finding) for item in own])
        told[number] = [(item.score, result[item.item_number].is_illicit) for item in own if item.item_number in result]
    return told


def _lane(
    office: str,
    lane: str,
    waiting: Sequence[sa.Row],
    closed: Sequence[sa.Row],
    told: Sequence[tuple[float | None, bool]],
    until: datetime,
) -> LaneFigures:
    hours = np.array([(case.closed_at - case.opened_at).total_seconds() / 3600 for case in closed])
    scored = [(score, is_hit) for score, is_hit in told if score is not None]
    return LaneFigures(
        office=office,
        lane=lane,
        waiting=Waiting(
            len(waiting),
            sum(case.due_at < until for case in waiting),
            max(((until - case.opened_at).total_seconds() / 3600 for case in waiting), default=None),
        ),
        released=sum(case.ending == RELEASED for case in closed),
        overridden=sum(case.ending != RELEASED for case in closed),
        median_hours=float(np.quantile(hours, 0.5)) if closed else None,
        ninth_tenth_hours=float(np.quantile(hours, 0.9)) if closed else None,
        scored=len(scored),
        hits=sum(is_hit for _, is_hit in scored),
        expected_hits=float(sum(score for score, _ in scored)),
        unscored=len(told) - len(scored),
        unscored_hits=sum(is_hit for score, is_hit in told if score is None),
    )


def _chance(
    connection: sa.Connection, offices: Sequence[str], since: datetime, until: datetime
) -> Iterable[ChanceFigures]:
    is_random = sa.exists().where(items.c.case_number == cases.c.number, items.c.reason == _RANDOM)
    wanted = sa.and_(cases.c.look != SECOND, cases.c.opened_at >= since, cases.c.opened_at < until, is_random)
    ended = sa.and_(cases.c.closed_at.is_not(None), cases.c.closed_at < until)
    query = sa.select(
        cases.c.office,
        sa.func.count(),
        sa.func.sum(sa.case((sa.and_(ended, cases.c.ending == RELEASED), 1), else_=0)),
        sa.func.sum(sa.case((sa.and_(ended, cases.c.ending != RELEASED), 1), else_=0)),
    )
    grouped = query.where(wanted, cases.c.office.in_(offices)).group_by(cases.c.office).order_by(cases.c.office)
    for office, drawn, released, overridden in connection.execute(grouped):
        yield ChanceFigures(office, drawn, released, overridden, drawn - released - overridden)


def _hours(connection: sa.Connection, offices: Sequence[str], since: datetime, until: datetime) -> dict[str, float]:
    """Return for how many hours of the time each officer had at least one case in hand; several at once count once."""
    query = (
        sa.select(events.c.case_number, events.c.at, events.c.actor, events.c.action, cases.c.lease_until)
        .join(cases, cases.c.number == events.c.case_number)
        .where(cases.c.office.in_(offices), events.c.at < until, events.c.action.in_((*_BEGINS, *_ENDS)))
        .order_by(events.c.number)
    )
    held: dict[int, tuple[str, datetime, datetime | None]] = {}
    spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for number, at, actor, action, lease_until in connection.execute(query):
        if number in held:
            who, begin, _ = held.pop(number)
            spans[who].append((begin, at))
        if action in _BEGINS:
            held[number] = actor, at, lease_until
    for who, begin, lease_until in held.values():  # a lease may have ended, and nobody has come for the case since
        spans[who].append((begin, min(until, lease_until or until)))
    hours = {who: _covered(own, since, until) for who, own in sorted(spans.items())}
    return {who: count for who, count in hours.items() if count}


def _covered(spans: Iterable[tuple[datetime, datetime]], since: datetime, until: datetime) -> float:
    """Return how many hours from `since` to `until` spans cover together.

    >>> from datetime import timedelta
    >>> day, hour = datetime(2024, 5, 2), timedelta(hours=1)
    >>> _covered([(day, day + 2 * hour), (day + hour, day + 3 * hour)], day + hour / 2, day + 9 * hour)
    2.5
    """
    total, last = 0.0, since
    for begin, end in sorted(spans):
        begin, end = max(begin, last), min(end, until)
        if end > begin:
            total += (end - begin).total_seconds() / 3600
            last = end
    return total

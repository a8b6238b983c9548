"""What came of second looks: two people judged one declaration, and neither knew of the other.

Both are compared as they stood when their case was closed, by whether an infringement was found at all. Not here: which
cases come back (endings.py), and what counts where they disagree (findings.py).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from models.desk.filing import given_of
from models.desk.record import RELEASED, Officer
from models.desk.shared import SECOND, Shared, require_supervisor
from models.desk.tables import cases, rulings

FIRST, AGAIN = cases, cases.alias("second")
_NORMAL_95 = 1.959963984540054  # of the normal distribution, for an interval at 95 %


class Pair(msgspec.Struct, frozen=True):
    """Two looks at one declaration: the numbers of the cases, who closed them, and whether they found an infringement.

    `at` is when the second one was closed, and `counts` the case that a supervisor has ruled to count, if any has.
    """

    declaration_id: str
    office: str
    lane: str
    at: datetime
    first: int
    first_officer: str
    first_found: bool
    second: int
    second_officer: str
    second_found: bool
    counts: int | None

    @property
    def agrees(self) -> bool:
        return self.first_found == self.second_found


class Agreement(msgspec.Struct, frozen=True):
    """Says how often two looks agree in an office: the share, with a Wilson interval at 95 %, and Cohen's kappa.

    All are None without a pair, and kappa also where chance alone would always agree.
    """

    office: str
    pairs: int
    agreed: int
    rate: float | None
    low: float | None
    high: float | None
    kappa: float | None


@dataclass(frozen=True)
class SecondLooks:
    """Second looks, for supervisors."""

    shared: Shared

    def agreement(self, officer: Officer, since: datetime, until: datetime) -> list[Agreement]:
        """Return the agreement in each of the supervisor's offices, over pairs completed from `since` to `until`."""
        every = self.pairs(officer, since, until)
        return [agreement(office, [pair for pair in every if pair.office == office]) for office in officer.offices]

    def disagreements(self, officer: Officer) -> list[Pair]:
        """Return the pairs of the supervisor's offices that disagree and are not settled, oldest first."""
        return [pair for pair in self.pairs(officer) if not pair.agrees and pair.counts is None]

    def pairs(self, officer: Officer, since: datetime | None = None, until: datetime | None = None) -> list[Pair]:
        """Return the pairs of the supervisor's offices of which both looks ended with a finding, by when that was."""
        require_supervisor(officer)
        query = pairs().where(FIRST.c.office.in_(officer.offices))
        if since is not None:
            query = query.where(AGAIN.c.closed_at >= since)
        if until is not None:
            query = query.where(AGAIN.c.closed_at < until)
        with self.shared.tables.reading() as connection:
            found = connection.execute(query).all()
            firsts, seconds = (query.order_by(None).with_only_columns(each.c.number) for each in (FIRST, AGAIN))
            given = given_of(connection, firsts) | given_of(connection, seconds)
            ruled = sa.select(rulings.c.case_number, rulings.c.counts).where(
                rulings.c.case_number.in_(firsts), rulings.c.counts.is_not(None)
            )
            counts = {row.case_number: row.counts for row in connection.execute(ruled.order_by(rulings.c.number))}
        zone = self.shared.now().tzinfo
        return [
            Pair(
                row.declaration_id,
                row.office,
                row.lane,
                row.again_at.astimezone(zone),
                row.number,
                row.closed_by,
                any(each.finding.is_infringement for each in given.get(row.number, ())),
                row.again,
                row.again_by,
                any(each.finding.is_infringement for each in given.get(row.again, ())),
                counts.get(row.number),
            )
            for row in found
        ]


def pairs() -> sa.Select:
    """Return the query for two looks at a declaration that both ended with a finding, by when the second one did.

    A row is the case of the first look, with the second one's number `again`, when it was closed and by whom.
    """
    both = sa.and_(FIRST.c.look != SECOND, FIRST.c.ending == RELEASED, AGAIN.c.ending == RELEASED)
    joined = FIRST.join(AGAIN, sa.and_(AGAIN.c.declaration_id == FIRST.c.declaration_id, AGAIN.c.look == SECOND))
    told = (AGAIN.c.number.label("again"), AGAIN.c.closed_at.label("again_at"), AGAIN.c.closed_by.label("again_by"))
    return sa.select(FIRST, *told).select_from(joined).where(both).order_by(AGAIN.c.closed_at, AGAIN.c.number)


def agreement(office: str, pairs: Iterable[Pair]) -> Agreement:
    """Return how often pairs agree."""
    every = list(pairs)
    count, agreed = len(every), sum(pair.agrees for pair in every)
    if not count:
        return Agreement(office, 0, 0, None, None, None, None)
    low, high = wilson(agreed, count)
    first, second = (
        sum(found) / count for found in zip(*((p.first_found, p.second_found) for p in every), strict=True)
    )
    by_chance = first * second + (1 - first) * (1 - second)
    kappa = (agreed / count - by_chance) / (1 - by_chance) if by_chance < 1 else None
    return Agreement(office, count, agreed, agreed / count, low, high, kappa)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the Wilson interval, at 95 %, of a share of which `hits` among `count` were seen.

    >>> [round(bound, 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    >>> wilson(0, 0)
    Traceback (most recent call last):
    ...
    ValueError: no share of 0; allowed: at least 1
    """
    if count < 1:
        raise ValueError(f"no share of {count}; allowed: at least 1")
    share, square = hits / count, _NORMAL_95**2 / count
    middle = share + square / 2
    half = _NORMAL_95 * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max((middle - half) / (1 + square), 0.0), min((middle + half) / (1 + square), 1.0)

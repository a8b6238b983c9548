"""Whether an officer misses what is there: a sequential test over declarations that chance drew, and over second looks.

Of each such look it is known how probably somebody who misses no more than the lane does finds something:

- a declaration that chance drew: as often as the office's other officers do in such declarations;
- a declaration in which somebody else found an infringement, unknown to the officer: as often as others do then.

The test compares that with an officer who finds half as much (Wald's sequential probability ratio test, without the
bound that would end it in the officer's favour). Whoever misses no more is flagged in a stretch of looks with a
probability of at most FALSE_ALARMS, however often one looks at it (Ville's inequality), if the probabilities are right.
Every STRETCH inspections the test begins anew, so that a good past excuses nobody. A flag is a reason to look, and no
proof. How many are flagged rightly and wrongly is simulated in tests/trials/checks.py.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from models.desk.filing import given_of
from models.desk.record import RELEASED, Officer
from models.desk.second_look import Pair, SecondLooks
from models.desk.shared import SECOND, Shared, require_supervisor
from models.desk.tables import cases, items
from models.policy import Lanes

FALSE_ALARMS = 0.02
FOUND_BY_THE_BAD = 0.5  # the share of what is there that the officer finds whom the test looks for
STRETCH = 400  # inspections
ENOUGH_PEERS = 50  # chance declarations of other officers of the office, to say how often something is found
MOST_PROBABLE = 0.95  # nothing that was there is found for certain, and one miss alone proves nothing
FEW_LOOKS = 20  # the policy's rate of detection weighs as much as so many looks
_ANYBODY = ""
_RANDOM = "random"


class Look(msgspec.Struct, frozen=True):
    """One look of an officer: whether something was found, how `probable` that was, and since when that is known.

    `probable` is 0 where nothing is known about what was there; such a look counts as an inspection alone.
    """

    found: bool
    probable: float = 0.0
    known_at: datetime = datetime.min


class Check(msgspec.Struct, frozen=True):
    """Tells what the test says of an officer, over the last stretch begun; `expected` and `found` are of telling looks.

    `evidence` is the largest logarithm of the likelihood ratio that there was; the officer is flagged from `bound` on.
    `flags` counts flagged stretches, the last one included.
    """

    officer: str
    inspections: int
    telling: int
    expected: float
    found: int
    evidence: float
    bound: float
    flags: int

    @property
    def is_flagged(self) -> bool:
        return self.evidence >= self.bound


@dataclass(frozen=True)
class Closed:
    """A case that was released: by whom, where, when, whether chance drew it, and whether something was found."""

    number: int
    officer: str
    office: str
    at: datetime
    is_random: bool
    found: bool


@dataclass(frozen=True)
class Checks:
    """Checks of officers, for supervisors."""

    shared: Shared

    def officers(self, officer: Officer, since: datetime, until: datetime, lanes: Lanes) -> list[Check]:
        """Return the check of everyone who released cases of the supervisor's offices from `since` to `until`."""
        require_supervisor(officer)
        pairs = SecondLooks(self.shared).pairs(officer)
        return checked(self._closed(officer, since, until), pairs, lanes)

    def _closed(self, officer: Officer, since: datetime, until: datetime) -> list[Closed]:
        wanted = sa.and_(
            cases.c.ending == RELEASED,
            cases.c.closed_at >= since,
            cases.c.closed_at < until,
            cases.c.office.in_(officer.offices),
        )
        is_random = sa.exists().where(items.c.case_number == cases.c.number, items.c.reason == _RANDOM)
        query = sa.select(cases, is_random.label("is_random")).where(wanted)
        with self.shared.tables.reading() as connection:
            given = given_of(connection, sa.select(cases.c.number).where(wanted))
            rows = connection.execute(query.order_by(cases.c.closed_at, cases.c.number)).all()
        return [
            Closed(
                row.number,
                row.closed_by,
                row.office,
                row.closed_at,
                row.is_random and row.look != SECOND,
                any(each.finding.is_infringement for each in given.get(row.number, ())),
            )
            for row in rows
        ]


def checked(closed: Sequence[Closed], pairs: Iterable[Pair], lanes: Lanes) -> list[Check]:
    """Return the check of each officer who closed a case, by name; cases come in the order of closing."""
    every = list(pairs)
    there = _there(every, lanes)
    known = {pair.first: pair.at for pair in every}
    drawn, hits = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for case in closed:
        if case.is_random:
            drawn[case.office, case.officer] += 1
            hits[case.office, case.officer] += case.found
    looks: dict[str, list[Look]] = {}
    for case in closed:
        probable = there.get(case.number, 0.0)
        if not probable and case.is_random:
            probable = _usual(case, drawn, hits)
        look = Look(case.found, min(probable, MOST_PROBABLE), known.get(case.number, case.at))
        looks.setdefault(case.officer, []).append(look)
    return [check(name, own) for name, own in sorted(looks.items())]


def check(officer: str, looks: Sequence[Look], stretch: int = STRETCH) -> Check:
    """Return what the test says of an officer's looks, in their order.

    >>> missed = [Look(False, 0.9)] * 3
    >>> check("ana", missed).is_flagged, check("ben", [*missed[:2], Look(True, 0.9)]).is_flagged
    (True, False)
    """
    bound, flags = -math.log(FALSE_ALARMS), 0
    last = Check(officer, 0, 0, 0.0, 0, 0.0, bound, 0)
    for begin in range(0, len(looks), stretch):
        own = looks[begin : begin + stretch]
        telling = sorted((look for look in own if look.probable), key=lambda look: look.known_at)
        evidence = largest = 0.0
        for look in telling:
            bad = FOUND_BY_THE_BAD * look.probable
            evidence += math.log(bad / look.probable if look.found else (1 - bad) / (1 - look.probable))
            largest = max(largest, evidence)
        flags += largest >= bound
        expected, found = sum(look.probable for look in telling), sum(look.found for look in telling)
        last = Check(officer, len(own), len(telling), expected, found, largest, bound, flags)
    return last


def _there(pairs: Iterable[Pair], lanes: Lanes) -> dict[int, float]:
    """Return how probably something is found in each case of which somebody else's look found something.

    That is how often others do so in the lane, in the pairs without this officer. Two looks at one declaration are more
    alike than a lane's rate of detection says, which counts where there are few pairs. What a supervisor has ruled to
    be nothing was not there.
    """
    seen = [pair for pair in pairs if pair.first_found or pair.second_found]
    seen = [pair for pair in seen if pair.agrees or pair.counts != (pair.second if pair.first_found else pair.first)]
    looks, found = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for pair in seen:
        for who in (pair.first_officer, pair.second_officer, _ANYBODY):
            looks[who, pair.lane] += 1 + pair.agrees  # for each that found something, the other's look
            found[who, pair.lane] += 2 * pair.agrees
    there: dict[int, float] = {}
    for pair in seen:
        for case, who, other_found in (
            (pair.first, pair.first_officer, pair.second_found),
            (pair.second, pair.second_officer, pair.first_found),
        ):
            if other_found:
                others = looks[_ANYBODY, pair.lane] - looks[who, pair.lane]
                alike = found[_ANYBODY, pair.lane] - found[who, pair.lane]
                detects = getattr(lanes, pair.lane).detects
                there[case] = (alike + FEW_LOOKS * detects) / (others + FEW_LOOKS)
    return there


def _usual(case: Closed, drawn: Counter[tuple[str, str]], hits: Counter[tuple[str, str]]) -> float:
    """Return how often other officers of the office find something where chance drew; 0 where they saw too few."""
    of_peers = [key for key in drawn if key[0] == case.office and key[1] != case.officer]
    seen = sum(drawn[key] for key in of_peers)
    return sum(hits[key] for key in of_peers) / seen if seen >= ENOUGH_PEERS else 0.0

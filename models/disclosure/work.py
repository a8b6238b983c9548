"""What the desk has kept of the work on cases: figures by office and lane, with no officer's name in them."""

from collections import Counter
from datetime import datetime

import msgspec

from models.desk import Agreement, Desk, LaneDepartures, LaneFigures, Officer

SAID_BY = 3  # departures with the same words, below which the words are told to nobody outside


class Work(msgspec.Struct, frozen=True):
    """Holds the desk's figures of all offices, of cases closed from `since` to `until`.

    `reasons` are the words of departures that were given at least SAID_BY times, with their number; `own_words` counts
    the others. `drawn` cases were drawn by chance, of which `drawn_judged` are judged; `agreements` say how often two
    looks at the same declaration found the same, by office.
    """

    since: datetime
    until: datetime
    lanes: tuple[LaneFigures, ...]
    departures: tuple[LaneDepartures, ...]
    reasons: dict[str, int]
    own_words: int
    drawn: int
    drawn_judged: int
    agreements: tuple[Agreement, ...]

    @property
    def closed(self) -> int:
        return sum(each.closed for each in self.departures)

    @property
    def departed(self) -> int:
        return sum(each.departed for each in self.departures)


def work_of(desk: Desk, since: datetime | None = None, until: datetime | None = None) -> Work | None:
    """Return the desk's figures from `since`, or its first case, to `until`, or now; None where it has no case yet."""
    offices = desk.supervision.offices()
    if not offices:
        return None
    reader = Officer("", tuple(sorted(offices)), is_supervisor=True)
    since, until = since or min(offices.values()), until or desk.shared.now()
    figures = desk.supervision.figures(reader, since, until)
    counted, departures = desk.departures.between(reader, since, until)
    said = Counter(" ".join(each.reason.split()) for each in departures)
    often = {words: count for words, count in sorted(said.items()) if count >= SAID_BY}
    return Work(
        since=since,
        until=figures.until,
        lanes=figures.lanes,
        departures=tuple(counted),
        reasons=often,
        own_words=len(departures) - sum(often.values()),
        drawn=sum(each.drawn for each in figures.chance),
        drawn_judged=sum(each.judged for each in figures.chance),
        agreements=tuple(desk.second_looks.agreement(reader, since, until)),
    )

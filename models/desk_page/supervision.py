"""The supervisor's page: what waits, what was found against what was expected, departures, disagreements and chance.

Every figure is of a stretch of days, which the page names, and which the reader may choose.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from models.desk import Desk, Officer, Refused
from models.policy import Lanes

NAME = "supervision"
USUAL_DAYS = 28
_REASONS = 100  # departures that are shown, the latest
_WIDTH = 200  # of a bar, in units of its picture


def shown(desk: Desk, officer: Officer, lanes: Lanes, query: Mapping[str, str]) -> dict[str, object]:
    """Return what the page shows of the supervisor's offices, from the day `since` to the end of the day `until`.

    Refused for an officer who supervises nothing, and for days that are none or in the wrong order.
    """
    now = desk.shared.now()
    until = _day(query, "until", now.date())
    since = _day(query, "since", until - timedelta(days=USUAL_DAYS - 1))
    if since > until:
        raise Refused(f"since is {since}, after {until}; allowed: a day before")
    begin, end = (datetime.combine(day, time(), now.tzinfo) for day in (since, until + timedelta(days=1)))
    figures = desk.supervision.figures(officer, begin, end)
    departures, reasons = desk.departures.between(officer, begin, end)
    most = max((max(each.hits, each.expected_hits) for each in figures.lanes), default=0.0)
    return {
        "officer": officer,
        "since": since,
        "until": until,
        "figures": figures,
        "agreements": desk.second_looks.agreement(officer, begin, end),
        "disagreements": desk.second_looks.disagreements(officer),
        "conflicts": desk.findings.conflicts(officer),
        "departures": departures,
        "reasons": reasons[:_REASONS],
        "untold": len(reasons) - len(reasons[:_REASONS]),
        "checks": desk.checks.officers(officer, begin, end, lanes),
        "width": _WIDTH,
        "bar": lambda count: round(_WIDTH * count / most, 1) if most else 0.0,
        "now": now,
    }


def _day(query: Mapping[str, str], name: str, usual: date) -> date:
    text = query.get(name, "")
    try:
        return date.fromisoformat(text) if text else usual
    except ValueError:
        raise Refused(f"{name} is {text[:40]!r}; allowed: a day, as {usual}") from None

"""Which days have data: days form stretches, and a stretch that holds next to nothing does not count.

If the first and the last day of all were used instead, a single mistyped year would decide.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise

APART = timedelta(days=14)  # after so long without a row, another stretch begins
STRAY_WEEK_SHARE = 0.25  # a stretch with less than this share of a usual week's rows is stray
_WEEK = 7


def of_data(rows: Mapping[date, int]) -> tuple[date, date]:
    """Return the first and last day with rows, leaving out days that lie apart from the data and hold next to nothing.

    Days lie apart if they are more than two weeks from any other row. They hold next to nothing if they have fewer rows
    than a quarter of a usual week of the data. So a feed that broke off counts again a few days after it has come back.
    ValueError where there is no row.

    >>> of_data({date(2024, 1, day): 90 for day in range(1, 32)} | {date(2062, 1, 5): 1})
    (datetime.date(2024, 1, 1), datetime.date(2024, 1, 31))
    """
    if not rows:
        raise ValueError("no rows, so no days; at least one row is needed")
    days = sorted(rows)
    stretches = [[days[0]]]
    for before, day in pairwise(days):
        if day - before > APART:
            stretches.append([])
        stretches[-1].append(day)
    counts = [sum(rows[day] for day in stretch) for stretch in stretches]
    most, days_of_most = max(zip(counts, stretches, strict=True), key=lambda each: each[0])
    weeks = max(((days_of_most[-1] - days_of_most[0]).days + 1) / _WEEK, 1)
    kept = [
        stretch for stretch, count in zip(stretches, counts, strict=True) if count >= STRAY_WEEK_SHARE * most / weeks
    ]
    return kept[0][0], kept[-1][-1]

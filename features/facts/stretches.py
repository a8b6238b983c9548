"""Where the data of a series of days lie: stretches of days, of which those that hold next to nothing do not count.

The first and the last day of all would let one mistyped year decide.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise

APART = timedelta(days=14)  # without a row, and what is beyond is another stretch
STRAY_WEEK_SHARE = 0.25  # of a usual week's rows; a stretch with fewer is stray
_WEEK = 7


def of_data(rows: Mapping[date, int]) -> tuple[date, date]:
    """First and last day with rows, days left out that lie apart from the data and hold next to nothing.

    Apart: more than two weeks from any other row. Next to nothing: fewer rows than a quarter of a usual week's, where
    data lie. So a feed that broke off counts again a few days after it has come back. ValueError where there is no row.

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

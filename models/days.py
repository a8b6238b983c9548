"""Which days hold the data: where windows of training, testing and monitoring may begin and end.

The first and the last day of all would let one mistyped year decide: a row of 2062 leaves the test part with itself
alone, and monitoring with nothing for ever. Which rows are refused when they arrive is in features/arrival.py; here is
what to make of those that are stored.
"""

from datetime import date, timedelta
from itertools import pairwise

import polars as pl

Window = tuple[date, date]
Dataset = pl.DataFrame | pl.LazyFrame  # a lazy one may be larger than memory: only what is asked for is read

APART = timedelta(days=14)  # without a row, and what is beyond is another stretch
STRAY_WEEK_SHARE = 0.25  # of a usual week's rows; a stretch with fewer is stray
_WEEK = 7


def of_data(dataset: Dataset) -> Window:
    """First and last day of acceptance, days left out that lie apart from the data and hold next to nothing.

    Apart: more than two weeks from any other row. Next to nothing: fewer rows than a quarter of a usual week's, where
    data lie. So a feed that broke off counts again a few days after it has come back. ValueError where there is no row.

    >>> days = pl.datetime_range(date(2024, 1, 1), date(2024, 3, 1), "12h", eager=True)
    >>> of_data(pl.DataFrame({"accepted_at": days.append(days[-1:].dt.offset_by("38y"))}))
    (datetime.date(2024, 1, 1), datetime.date(2024, 3, 1))
    """
    day = pl.col("accepted_at").dt.date().alias("day")
    counts = dataset.lazy().group_by(day).agg(pl.len()).collect(engine="streaming").sort("day").rows()
    if not counts:
        raise ValueError("no rows, so no days; at least one row is needed")
    stretches = [[counts[0]]]
    for before, found in pairwise(counts):
        if found[0] - before[0] > APART:
            stretches.append([])
        stretches[-1].append(found)
    most = max(stretches, key=_rows)
    weeks = max(((most[-1][0] - most[0][0]).days + 1) / _WEEK, 1)
    kept = [stretch for stretch in stretches if _rows(stretch) >= STRAY_WEEK_SHARE * _rows(most) / weeks]
    return kept[0][0][0], kept[-1][-1][0]


def _rows(stretch: list[tuple[date, int]]) -> int:
    return sum(rows for _, rows in stretch)

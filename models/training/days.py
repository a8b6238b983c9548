"""Which days hold the data: where windows of training, testing and monitoring may begin and end.

Which rows are refused when they arrive is in features/validation/arrival.py; this module decides what to make of those
that are stored.
"""

from datetime import date

import polars as pl

from features.facts import stretches

Window = tuple[date, date]
Dataset = pl.DataFrame | pl.LazyFrame  # a lazy one may be larger than memory: only the needed part is read


def of_data(dataset: Dataset) -> Window:
    """Return the first and last day of acceptance, without stray days: see features/facts/stretches.py.

    >>> days = pl.datetime_range(date(2024, 1, 1), date(2024, 3, 1), "12h", eager=True)
    >>> of_data(pl.DataFrame({"accepted_at": days.append(days[-1:].dt.offset_by("38y"))}))
    (datetime.date(2024, 1, 1), datetime.date(2024, 3, 1))
    """
    day = pl.col("accepted_at").dt.date().alias("day")
    return stretches.of_data(dict(dataset.lazy().group_by(day).agg(pl.len()).collect(engine="streaming").rows()))

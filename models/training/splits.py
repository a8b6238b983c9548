"""From labelled rows to training, validation and test parts by time: each part lies after those before it.

A model that is put to work on a day can have learned only from outcomes known before that day. So a part holds no row
whose label was unknown on the day the next part starts, and parts lie at least the label delay apart: without that gap,
a part's last days would hold only those outcomes that happened to be known early.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

import polars as pl

from features.contract import KEY
from models.policy import Training
from models.training.days import Dataset, Window, of_data


@dataclass(frozen=True)
class Split:
    """The labelled rows of each part, ordered by acceptance, and the days (first, last; inclusive) it spans.

    `before_test` holds every row whose label was known before the test part starts: training, validation and what lies
    in the gap between them. The final model is fitted on it.
    """

    test: pl.DataFrame
    before_test: pl.DataFrame
    windows: dict[str, Window]
    validation_days: int
    label_delay_days: int
    stray: int  # number of labelled rows that are in no part because they lie apart from all others

    @property
    def train(self) -> pl.DataFrame:
        """Return a copy of rows of `before_test`, made only when asked for because it is large; so is `validation`."""
        return self._before_test[0]

    @property
    def validation(self) -> pl.DataFrame:
        return self._before_test[1]

    @property
    def _before_test(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        return split_off(self.before_test, self.validation_days, self.label_delay_days)


def split_by_time(dataset: Dataset, training: Training, label_delay_days: int) -> Split:
    """Split off the latest `test_share` of the labelled time as test, then `validation_share`; the rest trains.

    Raises ValueError where nothing is labelled, or where a part has no rows.
    """
    known = labelled(dataset)
    rows = among_others(known)
    stray, days = known.height - rows.height, _days(rows)
    before_test, test = split_off(rows, _share_of(days, training.test_share), label_delay_days)
    validation_days = _share_of(days, training.validation_share)
    dated = before_test.select("accepted_at", "known_on")
    train, validation = split_off(dated, validation_days, label_delay_days)
    windows = {"train": window(train), "validation": window(validation), "test": window(test)}
    return Split(test, before_test, windows, validation_days, label_delay_days, stray)


def split_validation(dataset: Dataset, training: Training, label_delay_days: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return training and validation parts where there is no test part: the latest `validation_share` validates."""
    rows = among_others(labelled(dataset))
    return split_off(rows, _share_of(_days(rows), training.validation_share), label_delay_days)


def split_off(rows: pl.DataFrame, last_days: int, label_delay_days: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows whose labels were known before the last `last_days` days, and the rows of those days."""
    start = window(rows)[1] - timedelta(days=last_days - 1)
    accepted_on = pl.col("accepted_at").dt.date()
    earlier = rows.filter(
        accepted_on < start - timedelta(days=label_delay_days),
        pl.col("known_on") < start,
    )
    if earlier.is_empty():
        raise ValueError(
            f"no label was known before {start}, when the next part of {last_days} days starts; labelled rows run "
            f"from {' to '.join(map(str, window(rows)))} and the label delay is {label_delay_days} days: "
            "more history or a smaller share is needed"
        )
    return earlier, rows.filter(accepted_on >= start)


def labelled(dataset: Dataset) -> pl.DataFrame:
    """Return the rows with a label, ordered by acceptance and key, so that the order they came in does not matter."""
    if isinstance(dataset, pl.DataFrame) and not dataset["is_illicit"].null_count():
        rows = dataset  # not copied as long as it is in order
    else:
        rows = dataset.lazy().filter(pl.col("is_illicit").is_not_null()).collect(engine="streaming")
    if rows.is_empty():
        every = dataset.lazy().select(pl.len()).collect().item()
        raise ValueError(f"none of {every} rows has a label (is_illicit is null throughout); nothing to learn")
    order = rows.select("accepted_at", *KEY)
    return rows if order.equals(order.sort(order.columns)) else rows.sort(order.columns)


def among_others(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` without the few that lie days apart from all others: they must not decide where a window lies.

    See features/facts/stretches.py.
    """
    first, last = of_data(rows)
    if (first, last) == window(rows):
        return rows  # not copied
    return rows.filter(pl.col("accepted_at").dt.date().is_between(first, last))


def accepted_between(dataset: Dataset, window: Window) -> pl.DataFrame:
    """Return the rows accepted on the days of `window`, labelled or not, in their order."""
    first, last = window
    begins, ends = (datetime.combine(day, time()) for day in (first, last + timedelta(days=1)))
    # The bounds are on the column itself, so that whole files can be skipped.
    within = pl.col("accepted_at").is_between(begins, ends, closed="left")
    return dataset.lazy().filter(within).collect(engine="streaming")


def window(rows: pl.DataFrame) -> Window:
    """Return the first and last day of acceptance."""
    first, last = rows.select(
        first=pl.col("accepted_at").min().dt.date(), last=pl.col("accepted_at").max().dt.date()
    ).row(0)
    return first, last


def _days(rows: pl.DataFrame) -> int:
    first, last = window(rows)
    return (last - first).days + 1


def _share_of(days: int, share: float) -> int:
    return max(1, round(days * share))

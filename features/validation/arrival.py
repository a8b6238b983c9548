"""What had happened when a batch arrived: no day in its records lies after that day, or before the stated span.

A mistyped year is not an unusual value but an impossible one, and a single such day would decide where every window of
training and monitoring begins or ends. The other expectations on single rows are in features.validation.expectations,
which does not know the day of arrival.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from features import contract
from features.facts import stretches
from features.store import Store
from features.validation.verdicts import PLACE, Finding

_log = logging.getLogger(__name__)
HAPPENED = ("accepted_at", "recorded_at", "known_at")  # a register may also tell what will hold from a later day on
_FURTHEST_EAST = timedelta(hours=14)  # legal time has no zone, and nowhere is it later than there


def today() -> date:
    """Return the calendar day in the place on Earth where it is latest."""
    return (datetime.now(UTC) + _FURTHEST_EAST).date()


@dataclass(frozen=True)
class Span:
    """The days on which what a batch tells can have happened, both included; `first` is None if none is stated."""

    first: date | None
    last: date

    def __str__(self) -> str:
        since = f"from {self.first} " if self.first else ""
        return f"a day {since}to {self.last}, when the file arrived"


def refuse_clock_behind(arrived_on: date, store: Store) -> None:
    """Raise ValueError if the stored declarations go on after today: then the clock was set back.

    With such a clock, correct rows would be quarantined, and their file not read again. A few rows of a day far ahead,
    stored before such rows were quarantined, are no sign of that: they cause a warning, and stop no night.
    """
    rows = store.rows("declarations")
    ahead = [day for day in rows if day > arrived_on]
    if not ahead:
        return
    count = sum(rows[day] for day in ahead)
    first = store.scan_days("declarations", ahead[:1]).select("source_file", "source_line").head(1).collect().row(0)
    told = (
        f"{count} declarations of days after today, {arrived_on}, are stored, from {ahead[0]} to {ahead[-1]}, the "
        f"first of file {first[0]}, line {first[1]}"
    )
    if stretches.of_data(rows)[1] > arrived_on:
        raise ValueError(
            f"the clock of this machine is behind the data: {told}; nothing is ingested until it is right. Is it "
            "right, then those days are mistyped: `tidewaiter data reread` reads all files again and quarantines them"
        )
    _log.warning(
        "%s: mistyped, as it seems, before such rows were quarantined; `tidewaiter data reread` reads all files again "
        "and quarantines them",
        told,
    )


def judge(table: str, rows: pl.DataFrame, span: Span) -> list[Finding]:
    """Find the rows (the contract's columns and PLACE of features.validation.verdicts) with an instant outside `span`.

    >>> rows = pl.DataFrame({"accepted_at": [datetime(2024, 3, 5), datetime(2062, 3, 5)]})
    >>> rows = rows.select(pl.lit(0, pl.UInt32).alias("batch"), "accepted_at", source_line=pl.lit(2, pl.Int64))
    >>> judge("truth", rows, Span(None, date(2024, 3, 6)))[0].failing["reason"].to_list()
    ['accepted_at: 2062-03-05 00:00:00; expected: a day to 2024-03-06, when the file arrived']
    """
    happened = (field.name for field in contract.TABLES[table] if field.name in HAPPENED)
    return [_judge(table, column, rows, span) for column in happened]


def _judge(table: str, column: str, rows: pl.DataFrame, span: Span) -> Finding:
    day = pl.col(column).dt.date()
    is_outside = (day > span.last) if span.first is None else (day > span.last) | (day < span.first)
    text = pl.col(column).dt.to_string("%Y-%m-%d %H:%M:%S")
    failing = rows.filter(is_outside).select(
        *PLACE,
        column=pl.lit(column),
        reason=pl.format("{}: {}; expected: {}", pl.lit(column), text, pl.lit(str(span))),
        value=text,
    )
    return Finding(table, f"{column}_has_happened", column, str(span), "row", failing.sort(*PLACE))

"""What had happened when a batch arrived: no day in its records lies after that day, or before the span that is stated.

A mistyped year is no unusual value but an impossible one, and a single such day would decide where every window of
training and monitoring begins or ends. What else is expected of single rows is in features.expectations, which knows
no day of arrival.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from features import contract
from features.verdict import EXAMPLES_KEPT, FAILURES, Example, ExpectationResult, Verdict

HAPPENED = ("accepted_at", "recorded_at", "known_at")  # a register also tells from when on something will hold
_FURTHEST_EAST = timedelta(hours=14)  # legal time is without a zone, and nowhere is it later


def today() -> date:
    """The calendar day where it is latest on Earth."""
    return (datetime.now(UTC) + _FURTHEST_EAST).date()


@dataclass(frozen=True)
class Span:
    """Days on which what a batch tells can have happened, both included; `first` is None where nothing is stated."""

    first: date | None
    last: date

    def __str__(self) -> str:
        since = f"from {self.first} " if self.first else ""
        return f"a day {since}to {self.last}, when the file arrived"


def judge(table: str, frame: pl.DataFrame, span: Span) -> Verdict:
    """Rows of `frame` (the contract's columns and `source_line`) with an instant outside `span`.

    >>> frame = pl.DataFrame({"source_line": [2, 3], "accepted_at": [datetime(2024, 3, 5), datetime(2062, 3, 5)]})
    >>> judge("truth", frame, Span(None, date(2024, 3, 6))).failures["reason"].to_list()
    ['accepted_at: 2062-03-05 00:00:00; expected: a day to 2024-03-06, when the file arrived']
    """
    verdict = Verdict()
    for field in contract.TABLES[table]:
        if field.name in HAPPENED:
            verdict = verdict.merge(_judge(table, field.name, frame, span))
    return verdict


def _judge(table: str, column: str, frame: pl.DataFrame, span: Span) -> Verdict:
    name, day = f"{column}_has_happened", pl.col(column).dt.date()
    is_outside = (day > span.last) if span.first is None else (day > span.last) | (day < span.first)
    text = pl.col(column).dt.to_string("%Y-%m-%d %H:%M:%S")
    failing = frame.filter(is_outside).select(
        "source_line",
        expectation=pl.lit(name),
        column=pl.lit(column),
        reason=pl.format("{}: {}; expected: {}", pl.lit(column), text, pl.lit(str(span))),
        value=text,
    )
    failing = failing.sort("source_line")
    shown = failing.head(EXAMPLES_KEPT).select("source_line", "value").iter_rows()
    examples = tuple(Example(line, value) for line, value in shown)
    result = ExpectationResult(table, name, column, str(span), "row", frame.height, failing.height, examples)
    return Verdict(failing.select(*FAILURES), (result,))

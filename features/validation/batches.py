"""Expectations on a whole batch: they decide whether a file may be stored at all.

The expectations on single rows are in features.validation.expectations.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median

from features.validation.limits import Limits
from features.validation.verdicts import BatchCheck, BatchRejected, BatchVerdict, DayVolume

DAYS_OF_WEEK = 7
MOST_DAYS_NAMED = 3


def check_batch(
    file: str,
    rows: int,
    quarantined: int,
    rows_by_day: Mapping[date, int],
    stored_by_day: Mapping[date, int],
    limits: Limits,
    empty_before: int = 0,
    overtaken: int | None = None,
) -> BatchVerdict:
    """Judge a batch of `rows` lines, `quarantined` of which failed an expectation.

    `rows_by_day` has the rows that the batch would add, by day of acceptance, and `stored_by_day` those of the store
    before it. `empty_before` counts the deliveries in a row before it that had no lines. `overtaken` is for a file that
    was put back as it was before: how many of its rows are not in force; None for any other. Raises BatchRejected with
    one sentence for every check that fails and is more than a warning.

    >>> limits = Limits(max_quarantined_share=0.05, volume_factor=6, volume_history_weeks=8, volume_min_rows=20)
    >>> check_batch("monday.csv", 100, 2, {}, {}, limits).checks[1].observed
    '2 of 100 lines (2.00 %)'
    >>> check_batch("monday.csv", 100, 20, {}, {}, limits)
    Traceback (most recent call last):
    ...
    features.validation.verdicts.BatchRejected: monday.csv: quarantined_share: 20 of 100 lines (20.00 %); allowed: ...
    """
    usual = _Usual(stored_by_day, limits)
    days = tuple(usual.judge(day, rows_by_day[day]) for day in sorted(rows_by_day))
    checks = (
        _not_empty_for_long(rows, empty_before, limits),
        _quarantined_share(rows, quarantined, limits),
        _not_too_busy(days, limits),
        _not_too_quiet(days, limits),
        *([] if overtaken is None else [_in_force_again(overtaken)]),
    )
    verdict = BatchVerdict(file, checks, days)
    failed = [check.sentence for check in checks if not check.passed and not check.is_warning]
    if failed:
        raise BatchRejected(f"{file}: {'. '.join(failed)}", verdict)
    return verdict


class _Usual:
    """The usual number of rows by weekday, from the store."""

    def __init__(self, stored_by_day: Mapping[date, int], limits: Limits) -> None:
        self._stored = stored_by_day
        self._limits = limits
        self._days: list[list[date]] = [[] for _ in range(DAYS_OF_WEEK)]
        for day in sorted(stored_by_day):
            self._days[day.weekday()].append(day)

    def judge(self, day: date, rows: int) -> DayVolume:
        """Return the day with its bounds. Holidays may be quiet, and so may late arrivals for a day stored already."""
        stored = self._stored.get(day, 0)
        usual = self._median_before(day)
        if usual is None or usual < self._limits.volume_min_rows:
            return DayVolume(day, rows, stored, usual)
        may_be_quiet = stored or day in self._limits.public_holidays
        lowest = None if may_be_quiet else usual / self._limits.volume_factor
        return DayVolume(day, rows, stored, usual, lowest, usual * self._limits.volume_factor)

    def _median_before(self, day: date) -> float | None:
        """Return the median rows of the last days that fell on the same weekday; None if there are too few of them."""
        days = self._days[day.weekday()]
        latest = days[: bisect_left(days, day)][-self._limits.volume_history_weeks :]
        if len(latest) < self._limits.volume_history_weeks:
            return None
        return median(self._stored[each] for each in latest)


def _not_empty_for_long(rows: int, empty_before: int, limits: Limits) -> BatchCheck:
    # A night may pass without a declaration; many such nights are a feed that broke.
    empty = 0 if rows else empty_before + 1
    return BatchCheck(
        "not_empty_for_long",
        "The file has lines, or it is a while since files had none.",
        f"{rows:,} lines" if rows else f"0 lines, in {empty} deliveries in a row",
        f"up to {limits.max_empty_in_a_row} deliveries in a row without lines",
        empty <= limits.max_empty_in_a_row,
        is_warning=True,
    )


def _in_force_again(overtaken: int) -> BatchCheck:
    return BatchCheck(
        "put_back_is_in_force",
        "Rows of a file that was put back as it was before are in force again.",
        f"{overtaken:,} rows stay as corrected: versions that carry a later instant are stored",
        "none; to withdraw such a correction, give the row an instant (recorded_at, known_at) after it",
        overtaken == 0,
        is_warning=True,
    )


def _quarantined_share(rows: int, quarantined: int, limits: Limits) -> BatchCheck:
    share = quarantined / rows if rows else 0.0
    return BatchCheck(
        "quarantined_share",
        "Few of its lines are quarantined.",
        f"{quarantined:,} of {rows:,} lines ({share * 100:.2f} %)",
        f"at most {limits.max_quarantined_share * 100:g} %",
        share <= limits.max_quarantined_share,
    )


def _not_too_busy(days: Sequence[DayVolume], limits: Limits) -> BatchCheck:
    judged = sum(day.highest is not None for day in days)
    busy = [day for day in days if day.is_busy]
    return BatchCheck(
        "volume_not_above_usual",
        "No day has far more rows than is usual for its weekday.",
        _described(busy, judged),
        f"at most {limits.volume_factor:g} times its weekday's usual",
        not busy,
    )


def _not_too_quiet(days: Sequence[DayVolume], limits: Limits) -> BatchCheck:
    # Among many days one may be a public holiday, or the last one cut short; a feed that broke affects most days.
    judged = sum(day.lowest is not None for day in days)
    quiet = [day for day in days if day.is_quiet]
    return BatchCheck(
        "volume_not_below_usual",
        "Few of the new days have far fewer rows than is usual for their weekday.",
        _described(quiet, judged),
        f"at least 1/{limits.volume_factor:g} of its weekday's usual, on half of the days or more",
        len(quiet) * 2 <= judged,
    )


def _described(unusual: Sequence[DayVolume], judged: int) -> str:
    if not judged:
        return "no day judged: too little history, too few rows, or nothing new"
    counted = f"{len(unusual)} of {judged} judged days"
    named = [_named(day) for day in unusual[:MOST_DAYS_NAMED]] + ["..."] * (len(unusual) > MOST_DAYS_NAMED)
    return f"{counted} ({'; '.join(named)})" if named else counted


def _named(day: DayVolume) -> str:
    added = f", added to {day.stored:,} stored" if day.stored else ""
    return f"{day.day:%A} {day.day} has {day.rows:,} rows{added}, usual are {day.usual:,.0f}"

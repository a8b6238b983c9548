"""A batch may tell only of what had happened by the day on which it arrived, and not of days before the stated span."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from features.ingestion.batches import ingest
from features.store.store import Store
from features.validation import arrival
from features.validation.arrival import Span, judge
from features.validation.limits import Limits
from features.validation.verdicts import failures_of
from tests.support.declarations import DECLARATION, ENTRY, OUTCOME, frame
from tests.support.ingestion import LIMITS, Line, MemoryBatch, MemorySource
from tests.support.stores import put

ARRIVED = date(2024, 3, 20)


def failing(table, row, first=None):
    rows = frame(table, [row]).with_columns(pl.lit(0, pl.UInt32).alias("batch"), source_line=pl.lit(2, pl.Int64))
    return failures_of(judge(table, rows, Span(first, ARRIVED)))["reason"].to_list()


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("declarations", DECLARATION, "accepted_at"),
        ("declarations", DECLARATION, "recorded_at"),
        ("outcomes", OUTCOME, "known_at"),
        ("register", ENTRY, "recorded_at"),
    ],
)
def test_an_instant_after_the_day_of_arrival_is_refused_with_what_is_allowed(table, row, column):
    late, last = datetime(2062, 3, 25, 8), datetime(2024, 3, 20, 23, 59, 59)
    assert failing(table, row | {column: late}) == [
        f"{column}: 2062-03-25 08:00:00; expected: a day to 2024-03-20, when the file arrived"
    ]
    assert failing(table, row | {column: last}) == []


def test_an_instant_before_the_stated_span_is_refused():
    row = DECLARATION | {"accepted_at": datetime(1991, 3, 25)}
    assert failing("declarations", row) == []
    assert failing("declarations", row, first=date(2015, 1, 1)) == [
        "accepted_at: 1991-03-25 00:00:00; expected: a day from 2015-01-01 to 2024-03-20, when the file arrived"
    ]


def test_what_a_register_tells_may_lie_ahead():
    assert failing("register", ENTRY | {"ends_at": datetime(2062, 1, 1)}) == []


def batch(*years):
    lines = [
        Line(DECLARATION | {"declaration_id": f"D{number}", "accepted_at": datetime(year, 3, 5)})
        for number, year in enumerate(years)
    ]
    return MemorySource((MemoryBatch("march.csv", tuple(lines)),))


def test_a_mistyped_year_is_quarantined_with_file_line_and_column(tmp_path):
    store = Store(tmp_path / "store")
    report = ingest(batch(2024, 2062, 2024), store, LIMITS, arrived_on=ARRIVED)
    assert (report.stored, report.quarantined) == (2, 1)
    assert report.quarantined_by_reason == {"accepted_at_has_happened (accepted_at)": 1}
    refused = store.quarantine().collect().to_dicts()
    assert [(row["source_file"], row["source_line"]) for row in refused] == [("march.csv", 3)]
    judged = next(result for result in report.verdict.results if result.name == "accepted_at_has_happened")
    assert (judged.rows, judged.unexpected, judged.examples[0].source_line) == (3, 1, 3)


def test_without_a_day_of_arrival_it_is_today(tmp_path, monkeypatch):
    monkeypatch.setattr(arrival, "today", lambda: date(2023, 12, 31))
    limits = Limits(
        max_quarantined_share=1.0,
        volume_factor=6.0,
        volume_history_weeks=8,
        volume_min_rows=20,
        first_day=date(2020, 1, 1),
    )
    report = ingest(batch(2023, 2024, 2019), Store(tmp_path / "store"), limits)
    assert (report.stored, report.quarantined) == (1, 2)


def test_a_clock_that_was_set_back_ingests_nothing_and_the_next_run_takes_all(tmp_path, monkeypatch):
    """What is right would be quarantined by that clock, and its file known when the clock is right again."""
    store = Store(tmp_path)
    ingest(batch(2023), store, LIMITS)
    (day,) = store.days()
    for behind, is_refused in ((1, True), (0, False)):
        monkeypatch.setattr(arrival, "today", lambda behind=behind: day - timedelta(days=behind))
        if is_refused:
            with pytest.raises(
                ValueError, match=rf"behind the data: 1 declarations of days after today, .* {day}, the"
            ):
                ingest(batch(2022), store, LIMITS)
            assert len(store.batches) == 1
            ingest(batch(2021), store, LIMITS, arrived_on=ARRIVED)  # simulated days need not have come
        else:
            assert ingest(batch(2022), store, LIMITS).stored > 0


def stored(folder, days, mistyped):
    """A store of some declarations a day until the day of arrival, and of one of each mistyped day."""
    store = Store(folder)
    at = [ARRIVED - timedelta(days=day) for day in range(days) for _ in range(5)] + mistyped
    put(
        store,
        "declarations",
        [
            DECLARATION | {"declaration_id": f"S{n}", "accepted_at": datetime(*day.timetuple()[:3])}
            for n, day in enumerate(at)
        ],
    )
    return store


@pytest.mark.parametrize("mistyped", [[date(2062, 3, 5)], [date(2024, 6, 1), date(2042, 3, 5), date(2062, 3, 5)]])
def test_a_day_mistyped_long_ago_stops_no_night_and_is_told_with_file_and_line(tmp_path, caplog, mistyped):
    store = stored(tmp_path, 30, mistyped)
    arrival.refuse_clock_behind(ARRIVED, store)
    (told,) = caplog.messages
    assert told.startswith(
        f"{len(mistyped)} declarations of days after today, 2024-03-20, are stored, from {mistyped[0]} to 2062-03-05, "
        "the first of file test, line 150: mistyped"
    )
    assert "`tidewaiter data reread`" in told


@pytest.mark.parametrize("behind", [1, 2, 15, 40, 4_000])
def test_beside_a_mistyped_day_a_clock_that_was_set_back_is_noticed(tmp_path, behind):
    store = stored(tmp_path, 30, [date(2062, 3, 5)])
    with pytest.raises(ValueError, match="the clock of this machine is behind the data"):
        arrival.refuse_clock_behind(ARRIVED - timedelta(days=behind), store)


def test_of_days_that_have_come_nothing_is_said(tmp_path, caplog):
    arrival.refuse_clock_behind(ARRIVED, stored(tmp_path, 3, []))
    arrival.refuse_clock_behind(ARRIVED, Store(tmp_path / "empty"))
    assert caplog.messages == []

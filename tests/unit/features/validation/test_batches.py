"""Checks on a whole batch: each can pass, and each can stop a batch with a sentence: which check, what, how much."""

from datetime import date, timedelta

import pytest

from features.validation.batches import check_batch
from features.validation.limits import Limits
from features.validation.verdicts import BatchRejected

LIMITS = Limits(max_quarantined_share=0.05, volume_factor=6.0, volume_history_weeks=8, volume_min_rows=20)
FIRST = date(2024, 1, 1)  # a Monday
USUAL = (200, 120, 110, 100, 110, 22, 10)
NEXT = FIRST + timedelta(weeks=8)
HISTORY = {FIRST + timedelta(days=n): USUAL[n % 7] for n in range(8 * 7)}


def check(rows_by_day, stored=HISTORY, limits=LIMITS, quarantined=0, rows=None):
    total = sum(rows_by_day.values()) if rows is None else rows
    return check_batch("day.csv", total, quarantined, rows_by_day, stored, limits)


def rejected(*args, **kwargs):
    with pytest.raises(BatchRejected) as caught:
        check(*args, **kwargs)
    return caught.value


def test_an_ordinary_day_passes():
    verdict = check({NEXT: 180})
    assert all(check.passed for check in verdict.checks)
    assert (verdict.days[0].usual, verdict.days[0].lowest, verdict.days[0].highest) == (200, 200 / 6, 1200)


def test_rows_that_a_file_put_back_does_not_bring_into_force_are_a_warning():
    quiet, told = (check_batch("day.csv", 9, 0, {}, HISTORY, LIMITS, overtaken=rows) for rows in (0, 2))
    assert all(check.passed for check in quiet.checks)
    (failed,) = (check for check in told.checks if not check.passed)
    assert failed.is_warning
    assert failed.sentence == (
        "put_back_is_in_force: 2 rows stay as corrected: versions that carry a later instant are stored; "
        "allowed: none; to withdraw such a correction, give the row an instant (recorded_at, known_at) after it"
    )


def test_an_empty_batch_passes_and_too_many_in_a_row_are_a_warning():
    assert all(check.passed for check in check({}).checks)
    verdict = check_batch("day.csv", 0, 0, {}, HISTORY, LIMITS, empty_before=3)
    assert [check.sentence for check in verdict.checks if not check.passed] == [
        "not_empty_for_long: 0 lines, in 4 deliveries in a row; allowed: up to 3 deliveries in a row without lines"
    ]
    assert all(check.passed for check in check_batch("day.csv", 1, 0, {}, HISTORY, LIMITS, empty_before=3).checks)


def test_quarantined_share():
    assert check({NEXT: 95}, rows=100, quarantined=5).checks[1].passed
    error = rejected({NEXT: 94}, rows=100, quarantined=6)
    assert str(error) == "day.csv: quarantined_share: 6 of 100 lines (6.00 %); allowed: at most 5 %"
    assert [check.name for check in error.verdict.checks if not check.passed] == ["quarantined_share"]


def test_a_day_far_above_its_weekday_is_rejected():
    check({NEXT: 1200})
    assert str(rejected({NEXT: 1201})) == (
        "day.csv: volume_not_above_usual: 1 of 1 judged days (Monday 2024-02-26 has 1,201 rows, usual are 200); "
        "allowed: at most 6 times its weekday's usual"
    )


def test_one_busy_day_among_many_is_rejected():
    days = {NEXT + timedelta(days=n): USUAL[n % 7] for n in range(28)}
    check(days)
    assert "Wednesday 2024-02-28 has 900 rows" in str(rejected(days | {NEXT + timedelta(days=2): 900}))


def test_a_single_day_far_below_its_weekday_is_rejected():
    check({NEXT: 34})
    assert "volume_not_below_usual: 1 of 1 judged days (Monday 2024-02-26 has 33 rows" in str(rejected({NEXT: 33}))


def test_a_named_public_holiday_may_be_quiet_but_not_busy():
    limits = LIMITS.model_copy(update={"public_holidays": (NEXT,)})
    check({NEXT: 1}, limits=limits)
    assert "volume_not_above_usual" in str(rejected({NEXT: 1201}, limits=limits))


def test_quiet_days_among_many_are_holidays_and_a_quiet_batch_is_a_broken_feed():
    days = {NEXT + timedelta(days=n): USUAL[n] for n in range(5)}
    quiet = {NEXT + timedelta(days=n): 3 for n in range(5)}
    verdict = check(days | {day: quiet[day] for day in list(quiet)[:2]})
    assert [day.is_quiet for day in verdict.days] == [True, True, False, False, False]
    error = rejected(days | {day: quiet[day] for day in list(quiet)[:3]})
    assert "volume_not_below_usual: 3 of 5 judged days" in str(error)
    assert "..." in str(rejected(quiet))


def test_late_arrivals_are_not_judged_as_a_quiet_day():
    assert check({NEXT: 2}, stored=HISTORY | {NEXT: 190}).days[0].lowest is None


def test_rows_added_to_a_stored_day_count_with_it():
    check({NEXT: 1000}, stored=HISTORY | {NEXT: 200})
    message = str(rejected({NEXT: 1001}, stored=HISTORY | {NEXT: 200}))
    assert "has 1,001 rows, added to 200 stored, usual are 200" in message


def test_too_little_history_is_not_judged():
    week_short = {day: rows for day, rows in HISTORY.items() if day >= FIRST + timedelta(weeks=1)}
    assert check({NEXT: 1}, stored=week_short).days[0].usual is None
    assert check({NEXT: 10_000}, stored={}).days[0].usual is None


def test_a_weekday_with_few_rows_is_not_judged():
    sunday = NEXT + timedelta(days=6)
    assert check({sunday: 154}).days[0].highest is None


def test_later_days_are_no_history():
    assert check({FIRST: 1}).days[0].usual is None


def test_only_the_latest_weeks_are_usual():
    older = {FIRST - timedelta(weeks=n): 5 for n in range(1, 30)}
    assert check({NEXT: 180}, stored=HISTORY | older).days[0].usual == 200


def test_every_failed_check_is_told_and_order_of_days_does_not_matter():
    error = rejected({NEXT: 5000, NEXT - timedelta(days=7): 1}, quarantined=2500)
    assert "quarantined_share" in str(error)
    assert "volume_not_above_usual" in str(error)
    assert [day.day for day in error.verdict.days] == [NEXT - timedelta(days=7), NEXT]

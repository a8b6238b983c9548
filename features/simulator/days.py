"""When declarations are accepted: volumes by season, weekday and holiday, and the hour of the day."""

from datetime import date, timedelta

import numpy as np

from features.arrays import Floats, Ints
from features.simulator.draws import pick, stream

SECONDS = 86_400

_WEEKDAYS = (1.12, 1.1, 1.06, 1.05, 1.0, 0.38, 0.14)
_MONTHS = (0.93, 0.84, 1.02, 0.99, 1.0, 0.98, 1.0, 1.01, 1.05, 1.08, 1.12, 1.04)
_HOLIDAYS = frozenset({(1, 1), (1, 2), (5, 1), (9, 2), (10, 10), (12, 25)})
_HOLIDAY_VOLUME = 0.45
_YEARLY_GROWTH = 0.04
_SPREAD = 0.07  # the standard deviation of the log of a day's volume


def month_starts(start: date, months: int) -> list[date]:
    """Return the first day of each month and of the one after the last.

    >>> month_starts(date(2023, 12, 1), 2)
    [datetime.date(2023, 12, 1), datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)]
    """
    first = start.year * 12 + start.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(first, first + months + 1)]


def volumes(seed: int, start: date, days: int, factors: Floats) -> Floats:
    """Return the relative volume of each day; `factors` has one for each of them."""
    noise = stream(seed, 4).standard_normal(days) * _SPREAD
    usual = np.empty(days)
    for number in range(days):
        day = start + timedelta(days=number)
        holiday = _HOLIDAY_VOLUME if (day.month, day.day) in _HOLIDAYS else 1.0
        growth = 1 + _YEARLY_GROWTH * number / 365
        usual[number] = _WEEKDAYS[day.weekday()] * _MONTHS[day.month - 1] * holiday * growth
    return usual * np.exp(noise) * factors


def instants(seed: int, start: date, days: int, declarations: int, factors: Floats) -> Ints:
    """Return seconds since the start of the first day, in order, one per declaration; most are in office hours.

    `factors` are on the usual volumes, one a day.
    """
    rng = stream(seed, 5)
    return _at_hours(rng, pick(rng, volumes(seed, start, days, factors), declarations))


def instants_after(seed: int, start: date, days: int, declarations: int, more: int, factors: Floats) -> Ints:
    """Return the same for `more` days after the first `days`, as many a day as it would be after these."""
    usual = volumes(seed, start, days + more, factors)
    count = np.rint(usual[days:] * (declarations / usual[:days].sum())).astype(np.int64)
    return _at_hours(stream(seed, 40), np.repeat(np.arange(days, days + more, dtype=np.int64), count))


def _at_hours(rng: np.random.Generator, day: Ints) -> Ints:
    hour = np.clip(12.8 + 3.1 * rng.standard_normal(len(day)), 0, 23.99)
    return np.sort(day * SECONDS + (hour * 3600).astype(np.int64), kind="stable")

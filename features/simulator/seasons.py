"""Seasons by sector, and public holidays on which nearly nothing is declared."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from features.arrays import Floats
from features.simulator.entities import Lanes
from features.simulator.goods import SECTORS, goods

# Each holiday as month, first and last day. The new year of the country falls in April.
_HOLIDAYS = ((1, 1, 2), (4, 13, 17), (5, 1, 1), (9, 2, 3), (10, 10, 10), (12, 25, 26))
_HOLIDAY_VOLUME = 0.02
_RUSH_DAYS, _RUSH = 3, 1.3  # before and after a holiday

# The month in whose middle a sector is busiest, and how far it rises above its mean there and falls below half a year
# later. Sectors that are not named have no season.
_PEAKS = {
    "produce": (6, 0.5),
    "grain": (10, 0.6),
    "tropical": (3, 0.4),
    "seafood": (5, 0.3),
    "meat": (12, 0.3),
    "drinks": (12, 0.5),
    "luxury": (12, 0.5),
    "mineral": (1, 0.3),
    "chemical": (4, 0.3),
    "apparel": (9, 0.45),
    "leather": (9, 0.45),
    "electronic": (11, 0.35),
    "consumer": (10, 0.55),
    "vehicle": (3, 0.3),
}
_YEAR_DAYS, _MONTH_DAYS = 365.25, 365.25 / 12


def is_holiday(day: date) -> bool:
    """Return whether `day` is a public holiday.

    >>> is_holiday(date(2024, 4, 15)), is_holiday(date(2024, 4, 18))
    (True, False)
    """
    return any(day.month == month and first <= day.day <= last for month, first, last in _HOLIDAYS)


def volumes(start: date, days: int) -> Floats:
    """Return the factor on the usual volume of each day from `start`."""
    around = [is_holiday(start + timedelta(days=day)) for day in range(-_RUSH_DAYS, days + _RUSH_DAYS)]
    near = np.convolve(around, np.ones(2 * _RUSH_DAYS + 1), "valid") > 0
    return np.where(around[_RUSH_DAYS : days + _RUSH_DAYS], _HOLIDAY_VOLUME, np.where(near, _RUSH, 1.0))


def busy(lanes: Lanes, day: date) -> Lanes:
    """Return the lanes with the weights that their goods' season gives them on `day`."""
    return replace(lanes, weight=lanes.weight * _by_sector(day)[goods().sector[lanes.goods]])


def _by_sector(day: date) -> Floats:
    """Return each sector's volume on `day` over its mean of the year: a straight line up to the peak and down again."""
    peak, height = np.array([_PEAKS.get(sector, (1, 0.0)) for sector in SECTORS]).T
    apart = np.abs(day.timetuple().tm_yday - (peak - 0.5) * _MONTH_DAYS)
    apart = np.minimum(apart, _YEAR_DAYS - apart)
    return 1 + height * (1 - 4 * apart / _YEAR_DAYS)

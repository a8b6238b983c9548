"""How many declarations an office may still expect today, from its past weeks and from how the day has gone so far.

Not here: what they will be worth (prices.py).
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

WINDOW_DAYS = 28
_WEEK = 7
_QUARTERS, _QUARTER = 96, 900  # of an hour in a day, and the seconds of each
# So many arrivals' worth of trust in the forecast of the morning; 5, 20 and 50 choose alike.
_TRUST = 20.0
_SLOWEST, _FASTEST = 0.25, 4.0  # of the usual pace: a burst in one minute says little about the hours after it


@dataclass(frozen=True)
class Forecast:
    """Tells how many are expected `today` and on a `usual` day, and which share has come by each quarter of an hour.

    `arrived` has 97 shares, from 0 at midnight to 1 at the next.
    """

    today: float
    usual: float
    arrived: tuple[float, ...]

    def coming(self, second: int, so_far: int) -> float:
        """Return how many are still expected `second` seconds after midnight, when `so_far` have come today.

        The pace of the day is how many have come over how many were expected by now, drawn towards 1 where little was
        expected (the mean of a gamma distribution, given Poisson arrivals).
        """
        quarter, rest = divmod(second, _QUARTER)
        before, after = self.arrived[quarter], self.arrived[quarter + 1]
        share = before + (after - before) * rest / _QUARTER
        pace = (_TRUST + so_far) / (_TRUST + self.today * share)
        return self.today * (1 - share) * min(max(pace, _SLOWEST), _FASTEST)


def forecast(past: pl.DataFrame, office: str, day: date) -> Forecast:
    """Return what `office` may expect on `day`. `past` has `office` and `accepted_at` of the days before it.

    A weekday is expected to be as busy as on its days in the window, with one usual day as a further one. An office
    that had no declaration in the window is taken to be an average one. Where none had any, nothing is expected.
    """
    own = past.filter(pl.col("office") == office)
    if own.is_empty():
        own, offices = past, past["office"].n_unique()
    else:
        offices = 1
    ago = (day - own["accepted_at"].dt.date()).dt.total_days()
    counts = np.bincount(ago.to_numpy(), minlength=1)  # by days ago
    days = len(counts) - 1
    usual = len(ago) / days / offices if days else 0.0
    same = counts[_WEEK::_WEEK] / offices
    today = float((same.sum() + usual) / (len(same) + 1))
    return Forecast(today, float(usual), _by_quarter(own))


def _by_quarter(rows: pl.DataFrame) -> tuple[float, ...]:
    """Return the share of `rows` accepted before each quarter of an hour; even through the day if there is none."""
    at = rows["accepted_at"].dt
    seconds = at.hour().cast(pl.Int64) * 3600 + at.minute().cast(pl.Int64) * 60 + at.second()
    counts = np.bincount((seconds // _QUARTER).to_numpy(), minlength=_QUARTERS) if rows.height else np.ones(_QUARTERS)
    return (0.0, *(counts.cumsum() / counts.sum()).tolist())

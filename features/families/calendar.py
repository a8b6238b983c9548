"""When the declaration was accepted.

As of: the instant of acceptance alone.
"""

import polars as pl

from features.families.feature import Feature
from features.history.history import History

NAME = "calendar"
_OWN = "the instant of acceptance"
_AT = pl.col("accepted_at").dt

_PARTS: dict[str, tuple[pl.Expr, str]] = {
    "weekday": (_AT.weekday(), "day of the week, Monday 1"),
    "day_of_month": (_AT.day(), "day of the month"),
    "days_to_month_end": (_AT.month_end().dt.day() - _AT.day(), "days left in the month"),
    "hour": (_AT.hour(), "hour of the day"),
}

FEATURES = tuple(Feature(name, NAME, "numeric", meaning, _OWN) for name, (_, meaning) in _PARTS.items())

TABLES = ()


def compute(history: History) -> pl.DataFrame:
    """Columns of `FEATURES`, one row a query."""
    return history.rows.select(part.cast(pl.Float32).alias(name) for name, (part, _) in _PARTS.items())

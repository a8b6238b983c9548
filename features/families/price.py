"""The declared value per kg, compared with what the same goods usually cost.

As of: see usual.py.
"""

import polars as pl

from features.families.feature import frame
from features.families.usual import Usual, compared
from features.history import History

NAME = "price"

GROUPS = {"hs6_origin": ("hs6", "origin_country"), "hs6": ("hs6",), "importer_hs6": ("importer_id", "hs6")}
_PRICE = Usual(NAME, "price", "log_value_per_kg", "value per kg", GROUPS, watched="hs6")

FEATURES = tuple(_PRICE.features)

TABLES = tuple(_PRICE.tables)


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query; null where the group has fewer than `MIN_HISTORY` prices."""
    return frame(FEATURES, compared(history, [_PRICE]))

"""The net mass and value per unit of quantity, compared with what is usual for the goods and for the seller.

Pieces are counted where mass is not, so a mass that was declared too low, or that hides something else, shows in the
mass of a piece. Numbers in different units of quantity are never compared.

As of: see usual.py.
"""

import polars as pl

from features.families.feature import frame
from features.families.usual import Usual, compared
from features.history import History

NAME = "units"

GROUPS = {"hs6": ("hs6", "quantity_unit"), "seller_hs6": ("seller_id", "hs6", "quantity_unit")}
_NUMBERS = (
    Usual(NAME, "unit_mass", "log_mass_per_unit", "net mass per unit of quantity", GROUPS, watched="hs6"),
    Usual(NAME, "unit_value", "log_value_per_unit", "value per unit of quantity", GROUPS),
)

FEATURES = tuple(feature for number in _NUMBERS for feature in number.features)

TABLES = tuple(table for number in _NUMBERS for table in number.tables)


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query.

    They are null where no quantity is declared, or where fewer than `MIN_HISTORY` numbers are known of the group.
    """
    return frame(FEATURES, compared(history, _NUMBERS))

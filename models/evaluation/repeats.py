"""Rows whose goods were declared before in exactly the same way.

A score that only recognises copies of training rows looks better than it will be on goods never seen. So every report
has both figures: those for rows with an identical earlier row, and those for rows without.
"""

import polars as pl

IDENTITY = (
    "hs6",
    "item_value",
    "net_mass_kg",
    "origin_country",
    "departure_country",
    "tax_type",
    "tax_rate_pct",
)


def has_identical_earlier_row(earlier: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Return for each of `rows` whether `earlier` (what the model learned from) holds a row with the same goods.

    >>> goods = {"hs6": "090121", "item_value": 900.0, "net_mass_kg": 60.0, "origin_country": "BR",
    ...     "departure_country": "BR", "tax_type": "A", "tax_rate_pct": [8.0, 13.0]}
    >>> rows = pl.DataFrame(goods)
    >>> has_identical_earlier_row(rows.head(1), rows).to_list()
    [True, False]
    """
    seen = earlier.select(IDENTITY).unique().with_columns(has_identical_earlier_row=pl.lit(value=True))
    found = rows.select(IDENTITY).join(seen, on=IDENTITY, how="left", nulls_equal=True, maintain_order="left")
    return found["has_identical_earlier_row"].fill_null(value=False)

"""The feature matrix: all families side by side, and the labels that were known beside them."""

from datetime import date

import polars as pl

from features.contract import KEY
from features.facts.asof import labels
from features.families import FAMILIES
from features.families.feature import Feature
from features.history.history import History

CATALOGUE: tuple[Feature, ...] = tuple(feature for family in FAMILIES for feature in family.FEATURES)

# What families ask of the past: kinds of facts, and the columns that name whom they are about.
TABLES = tuple(dict.fromkeys(table for family in FAMILIES for table in family.TABLES))

_IDENTITY = (*KEY, "accepted_at")


def compute(history: History) -> pl.DataFrame:
    """Identity (key and instant of acceptance) and all features of the history's rows, in their order."""
    families = (family.compute(history) for family in FAMILIES)
    return pl.concat([history.rows.select(_IDENTITY), *families], how="horizontal")


def with_labels(matrix: pl.LazyFrame, outcomes: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """`matrix` with the label columns of `outcomes` (versions) as known on `as_of`; null where none was."""
    return matrix.join(labels(outcomes, as_of), on=KEY, how="left", maintain_order="left")

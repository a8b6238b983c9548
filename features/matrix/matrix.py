"""The feature matrix: all families side by side, the labels that were known, and which features it has.

Code that needs a certain feature asks by what it measures, of whom and over which days, and not by its name.
"""

from collections.abc import Iterable
from datetime import date

import polars as pl

from features.contract import KEY
from features.facts import asof
from features.families import FAMILIES, Feature
from features.history import History

Description = tuple[tuple[str, ...], str, int]  # entity, measure, and days of the window

CATALOGUE: tuple[Feature, ...] = tuple(feature for family in FAMILIES for feature in family.FEATURES)

# What families ask of the past: kinds of facts, each with the columns that name whom they are about.
TABLES = tuple(dict.fromkeys(table for family in FAMILIES for table in family.TABLES))

_IDENTITY = (*KEY, "accepted_at")


def described(features: Iterable[Feature]) -> dict[Description, Feature]:
    """Return features by what they measure, of whom and over which days; ValueError where two are alike in all that.

    >>> from dataclasses import replace
    >>> described([*CATALOGUE, replace(CATALOGUE[0], name="bureau")])
    Traceback (most recent call last):
    ...
    ValueError: features 'office' and 'bureau' are both code of office over 0 days; allowed: one
    """
    found: dict[Description, Feature] = {}
    for feature in features:
        other = found.setdefault((feature.entity, feature.measure, feature.window_days), feature)
        if other is not feature:
            raise ValueError(
                f"features {other.name!r} and {feature.name!r} are both {feature.measure} of "
                f"{' x '.join(feature.entity)} over {feature.window_days} days; allowed: one"
            )
    return found


DESCRIBED = described(CATALOGUE)


def feature_of(entity: tuple[str, ...], measure: str, window_days: int = 0) -> Feature:
    """Return the feature of that description; ValueError where there is none.

    >>> feature_of(("importer_id",), "hit_rate", 365).name
    'importer_hit_rate_365d'
    >>> feature_of(("importer_id",), "luck")
    Traceback (most recent call last):
    ...
    ValueError: no feature is luck of importer_id over 0 days; allowed: what features.matrix.matrix.CATALOGUE describes
    """
    found = DESCRIBED.get((entity, measure, window_days))
    if found is None:
        raise ValueError(
            f"no feature is {measure} of {' x '.join(entity)} over {window_days} days; allowed: what "
            "features.matrix.matrix.CATALOGUE describes"
        )
    return found


def compute(history: History) -> pl.DataFrame:
    """Return the identity (key and instant of acceptance) and all features of the history's rows, in their order."""
    families = (family.compute(history) for family in FAMILIES)
    return pl.concat([history.rows.select(_IDENTITY), *families], how="horizontal")


def with_labels(matrix: pl.LazyFrame, outcomes: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Return `matrix` with the label columns of `outcomes` (versions) as known on `as_of`; null where none was."""
    return matrix.join(asof.labels(outcomes, as_of), on=KEY, how="left", maintain_order="left")

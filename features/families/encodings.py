"""Target encodings: how often declarations that were alike, in one respect or in several at once, were found illicit.

As of: an outcome counts from the day after its result was known, for three years after the acceptance of its
declaration; corrections count from the day they were recorded.

These are ordered target statistics after CatBoost (Prokhorenkova et al., 2018), with customs' own calendar in place of
a random order. A row is encoded by outcomes known before its day, so it never meets its own label, and training rows
are encoded just as those of tomorrow will be. The number of inspections stands beside each rate. It tells a model how
far to trust the rate, and it tells a combination that was never inspected from one that was always clean.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from features.arrays import Floats
from features.facts import asof
from features.families.feature import Feature, frame
from features.families.groups import group_of
from features.history import PRIOR_WEIGHT, History, Record

NAME = "encodings"
_AS_OF = (
    f"outcomes known before the day of acceptance, of declarations accepted at most {asof.LOOK_BACK_DAYS} days earlier"
)

_GOODS = ("hs6", "item_value", "net_mass_kg", "origin_country", "departure_country", "tax_type", "tax_rate_pct")

# Traders have histories of their own in `entities`; here they appear only in combinations.
COMBINATIONS: tuple[tuple[str, ...], ...] = (
    ("office",),
    ("import_type",),
    ("import_use",),
    ("payment_type",),
    ("transport_mode",),
    ("origin_marking",),
    ("tax_type",),
    ("tax_rate_pct",),
    ("hs2",),
    ("hs4",),
    ("hs6",),
    ("origin_country",),
    ("departure_country",),
    ("hs4", "origin_country"),
    ("hs6", "origin_country"),
    ("hs6", "departure_country"),
    ("hs6", "tax_type"),
    ("hs6", "tax_rate_pct"),
    ("hs6", "transport_mode"),
    ("origin_country", "tax_type"),
    ("hs6", "declarant_id"),
    ("hs6", "seller_id"),
    ("hs6", "importer_id"),
    ("importer_id", "seller_id"),
    ("seller_id", "origin_country"),
    ("hs6", "item_value"),
    ("hs6", "net_mass_kg"),
    ("item_value", "net_mass_kg"),
    ("hs6", "item_value", "net_mass_kg"),
    ("hs6", "origin_country", "departure_country", "tax_type", "tax_rate_pct"),
    _GOODS,
)


def rate_name(by: tuple[str, ...]) -> str:
    """Return the name of a combination's rate; `inspections_name` returns that of its count."""
    return f"hit_rate_{'_x_'.join(by)}"


def inspections_name(by: tuple[str, ...]) -> str:
    return f"inspections_{'_x_'.join(by)}"


def _describe(by: tuple[str, ...]) -> Iterator[Feature]:
    of = " x ".join(by)
    rate = Feature(
        rate_name(by),
        NAME,
        "numeric",
        f"{of}: hits over inspections, smoothed towards everyone's rate",
        _AS_OF,
        entity=by,
        measure="hit_rate",
        group=group_of(by),
        sentences="encoded",
        window_days=asof.LOOK_BACK_DAYS,
        rests_on_outcomes=True,
        inspections=inspections_name(by),
    )
    yield rate
    yield replace(
        rate,
        name=inspections_name(by),
        meaning=f"{of}: inspections concluded",
        measure="inspections",
        inspections=None,
    )


FEATURES = tuple(feature for by in COMBINATIONS for feature in _describe(by))

TABLES = (("concluded", ()), *(("concluded", by) for by in COMBINATIONS))


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query; null where a part of the combination is not declared."""
    return frame(FEATURES, history.described(_rates, COMBINATIONS, ("concluded", asof.LOOK_BACK_DAYS)))


def _rates(record: Record, usual: Floats) -> Floats:
    """Return a combination's two features: features x queries."""
    inspected, hits = record.sums("concluded", asof.LOOK_BACK_DAYS).T
    rate = (hits + PRIOR_WEIGHT * usual) / (inspected + PRIOR_WEIGHT)
    return np.where(record.is_named, [rate, inspected], np.nan).astype(np.float32)

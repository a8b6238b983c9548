"""The record of everyone and everything a declaration names: volume, value, inspections, hits, revenue, novelty.

As of: a declaration counts from the day after customs had it, an outcome from the day after its result was known; both
only within the window. An outcome that took more than two years counts for no entity. Corrections count from the day
they were recorded.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from features.facts.asof import YEAR_DAYS
from features.facts.facts import DECLARATIONS, HITS
from features.families.feature import Feature
from features.history.history import PRIOR_WEIGHT, History

NAME = "entities"
_AS_OF = "declarations and outcomes known before the day of acceptance, within the window"

# The last one is the same goods at the same value and mass: what was declared and found once is often declared again.
ENTITIES: dict[str, tuple[str, ...]] = {
    "importer": ("importer_id",),
    "seller": ("seller_id",),
    "declarant": ("declarant_id",),
    "courier": ("courier_id",),
    "office": ("office",),
    "hs6": ("hs6",),
    "origin": ("origin_country",),
    "route": ("departure_country", "origin_country", "office"),
    "importer_hs6": ("importer_id", "hs6"),
    "importer_origin": ("importer_id", "origin_country"),
    "importer_seller": ("importer_id", "seller_id"),
    "seller_origin": ("seller_id", "origin_country"),
    "hs6_origin": ("hs6", "origin_country"),
    "repeat": ("hs6", "origin_country", "departure_country", "item_value", "net_mass_kg", "tax_rate_pct"),
}
WINDOWS_DAYS = (30, 90, 365)
NOVEL = {"importer_hs6": "subheading", "importer_origin": "origin", "importer_seller": "seller"}


def _describe(entity: str) -> Iterator[Feature]:
    of = " x ".join(ENTITIES[entity])
    for window in WINDOWS_DAYS:
        for name, meaning in {
            "declarations": "declarations",
            "value": "value declared, currency",
            "inspection_rate": "inspections concluded over declarations",
            "hit_rate": "hits over inspections concluded, smoothed towards everyone's rate",
            "revenue": "revenue recovered, currency",
        }.items():
            yield Feature(f"{entity}_{name}_{window}d", NAME, "numeric", f"{of}: {meaning}, {window} days", _AS_OF)
    yield Feature(f"{entity}_days_since_seen", NAME, "numeric", f"{of}: days since it was last declared", _AS_OF)
    yield Feature(f"{entity}_days_since_hit", NAME, "numeric", f"{of}: days since a hit became known", _AS_OF)


FEATURES = (
    *(feature for entity in ENTITIES for feature in _describe(entity)),
    *(
        Feature(f"is_new_{entity}", NAME, "numeric", f"the importer's first declaration with this {what}", _AS_OF)
        for entity, what in NOVEL.items()
    ),
)

TABLES = (("found", ()), *((kind, by) for kind in ("declared", "found") for by in ENTITIES.values()))


def compute(history: History) -> pl.DataFrame:
    """Columns of `FEATURES`, one row a query; null where the declaration names no such entity."""
    usual = history.everyones_hit_rate("found", YEAR_DAYS)
    day = history.day.of

    def record_of(entity: str) -> dict[str, np.ndarray]:
        record = history.record(ENTITIES[entity])
        columns: dict[str, np.ndarray] = {}
        for window in WINDOWS_DAYS:
            volume, value = record.sums("declared", window).T
            inspected, hits, revenue = record.sums("found", window).T
            columns |= {
                f"{entity}_declarations_{window}d": volume,
                f"{entity}_value_{window}d": value,
                f"{entity}_inspection_rate_{window}d": np.where(volume > 0, inspected / np.maximum(volume, 1), np.nan),
                f"{entity}_hit_rate_{window}d": (hits + PRIOR_WEIGHT * usual) / (inspected + PRIOR_WEIGHT),
                f"{entity}_revenue_{window}d": revenue,
            }
        if entity in NOVEL:
            columns[f"is_new_{entity}"] = columns[f"{entity}_declarations_{YEAR_DAYS}d"] == 0
        for what, last in {
            "seen": record.last_day("declared", DECLARATIONS, YEAR_DAYS),
            "hit": record.last_day("found", HITS, YEAR_DAYS),
        }.items():
            columns[f"{entity}_days_since_{what}"] = np.where(last >= 0, day - last, np.nan)
        return {name: np.where(record.is_named, value, np.nan).astype(np.float32) for name, value in columns.items()}

    with ThreadPoolExecutor() as pool:
        columns = {name: value for record in pool.map(record_of, ENTITIES) for name, value in record.items()}
    return pl.DataFrame({f.name: pl.Series(columns[f.name], nan_to_null=True) for f in FEATURES})

"""The record of everyone and everything a declaration names: volume, value, inspections, hits, revenue, novelty.

As of: a declaration counts from the day after customs had it, an outcome from the day after its result was known; both
only within the window and within a year of acceptance. Corrections count from the day they were recorded.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from features.asof import YEAR_DAYS
from features.catalogue import Feature
from features.contract import HIGHEST_DUTY
from features.history import History
from features.windows import Ints, last_visible_day, window_sums

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
PRIOR_WEIGHT = 10  # an entity's hit rate starts at everyone's, as if it had this many inspections behind it

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


def compute(history: History) -> pl.DataFrame:
    """Columns of `FEATURES`, one row a query; null where the declaration names no such entity."""
    declared_measures = _whole(history.declared, pl.lit(1), pl.col("item_value"))
    found_of_all = found_measures(history)
    day = history.rows["day"].to_numpy()
    usual = everyones_hit_rate(history, found_of_all, YEAR_DAYS)

    def record_of(entity: str) -> dict[str, np.ndarray]:
        asked, declared, found = history.entities(ENTITIES[entity])
        queries = history.queries(asked)
        record: dict[str, np.ndarray] = {}
        for window in WINDOWS_DAYS:
            volume, value = window_sums(history.declared_facts(declared, window), declared_measures, queries).T
            inspected, hits, revenue = window_sums(history.found_facts(found, window), found_of_all, queries).T
            record |= {
                f"{entity}_declarations_{window}d": volume,
                f"{entity}_value_{window}d": value,
                f"{entity}_inspection_rate_{window}d": np.where(volume > 0, inspected / np.maximum(volume, 1), np.nan),
                f"{entity}_hit_rate_{window}d": (hits + PRIOR_WEIGHT * usual) / (inspected + PRIOR_WEIGHT),
                f"{entity}_revenue_{window}d": revenue,
            }
        if entity in NOVEL:
            record[f"is_new_{entity}"] = record[f"{entity}_declarations_{YEAR_DAYS}d"] == 0
        seen = last_visible_day(
            history.declared_facts(declared, YEAR_DAYS), history.declared["day"].to_numpy(), queries
        )
        hit = last_visible_day(
            history.found_facts(np.where(found_of_all[:, 1] > 0, found, -1), YEAR_DAYS),
            history.found["day"].to_numpy(),
            queries,
        )
        record[f"{entity}_days_since_seen"] = np.where(seen >= 0, day - seen, np.nan)
        record[f"{entity}_days_since_hit"] = np.where(hit >= 0, day - hit, np.nan)
        return {name: np.where(asked < 0, np.nan, value).astype(np.float32) for name, value in record.items()}

    with ThreadPoolExecutor() as pool:
        columns = {name: value for record in pool.map(record_of, ENTITIES) for name, value in record.items()}
    return pl.DataFrame({f.name: pl.Series(columns[f.name], nan_to_null=True) for f in FEATURES})


def _whole(frame: pl.DataFrame, *measures: pl.Expr) -> Ints:
    """Measures as whole numbers (money to the unit), so that sums are exact: rows x m, int64.

    An amount beyond the contract is cut to it: the lines of a back-test are scored whatever validation says of them.

    >>> _whole(pl.DataFrame({"value": [2.6, 1e30]}), pl.col("value")).tolist()
    [[3], [20000000000000000]]
    """
    return frame.select(
        m.cast(pl.Float64).clip(-HIGHEST_DUTY, HIGHEST_DUTY).round().cast(pl.Int64).alias(str(i))
        for i, m in enumerate(measures)
    ).to_numpy()


def found_measures(history: History) -> Ints:
    """Inspections, hits and revenue of each outcome: facts x 3."""
    is_hit = pl.col("is_illicit").fill_null(value=False)
    return _whole(history.found, pl.col("is_inspected"), is_hit, pl.col("recovered_revenue").fill_null(0))


def everyones_hit_rate(history: History, measures: Ints, window_days: int) -> np.ndarray:
    """Hits over inspections (the first two measures) known in the window, for each query; zero while none is known."""
    everyone = np.zeros(history.rows.height, np.int64)
    facts = history.found_facts(np.zeros(history.found.height, np.int64), window_days)
    inspected, hits = window_sums(facts, measures[:, :2], history.queries(everyone)).T
    return hits / np.maximum(inspected, 1)

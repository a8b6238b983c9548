"""The record of everyone and everything a declaration names: volume, value, inspections, hits, revenue, novelty.

As of: a declaration counts from the day after customs had it, and an outcome from the day after its result was known;
both count only within the window. An outcome that took more than two years counts for no entity. Corrections count from
the day they were recorded.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from features.arrays import Floats, Ints
from features.facts import asof, kinds
from features.families.feature import Feature, frame
from features.families.groups import group_of
from features.history import PRIOR_WEIGHT, History, Record

NAME = "entities"
_AS_OF = "declarations and outcomes known before the day of acceptance, within the window"

# The last entity is the same goods at the same value and mass: goods declared and found once are often declared again.
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


# What is measured within each window, and whether the measure rests on outcomes.
_MEASURES = {
    "declarations": ("declarations", False),
    "value": ("value declared, currency", False),
    "inspection_rate": ("inspections concluded over declarations", True),
    "hit_rate": ("hits over inspections concluded, smoothed towards everyone's rate", True),
    "revenue": ("revenue recovered, currency", True),
}
# The place of a year's declarations among the features of an entity.
_YEARS_DECLARATIONS = len(_MEASURES) * WINDOWS_DAYS.index(asof.YEAR_DAYS) + list(_MEASURES).index("declarations")
# Records are watched over the shortest window only, because longer ones move as records grow.
_DRIFT: dict[tuple[str, str], Literal["linear", "log"]] = {
    ("importer", "declarations"): "log",
    ("seller", "declarations"): "log",
    ("importer_hs6", "declarations"): "log",
    ("importer", "hit_rate"): "linear",
    ("hs6", "hit_rate"): "linear",
}


def _describe(entity: str) -> Iterator[Feature]:
    by = ENTITIES[entity]
    of = " x ".join(by)

    def feature(name: str, meaning: str, measure: str, window_days: int, rests_on_outcomes: bool) -> Feature:
        return Feature(
            f"{entity}_{name}",
            NAME,
            "numeric",
            f"{of}: {meaning}",
            _AS_OF,
            entity=by,
            measure=measure,
            group=group_of(by),
            sentences=measure,
            window_days=window_days,
            rests_on_outcomes=rests_on_outcomes,
            drift=_DRIFT.get((entity, measure)) if window_days == min(WINDOWS_DAYS) else None,
        )

    for window in WINDOWS_DAYS:
        for measure, (meaning, is_found) in _MEASURES.items():
            yield feature(f"{measure}_{window}d", f"{meaning}, {window} days", measure, window, is_found)
    yield feature("days_since_seen", "days since it was last declared", "days_since_seen", asof.YEAR_DAYS, False)
    yield feature("days_since_hit", "days since a hit became known", "days_since_hit", asof.YEAR_DAYS, True)


def _novelty(entity: str, what: str) -> Feature:
    return Feature(
        f"is_new_{entity}",
        NAME,
        "numeric",
        f"the importer's first declaration with this {what}",
        _AS_OF,
        entity=ENTITIES[entity],
        measure="is_new",
        group=group_of(ENTITIES[entity]),
        sentences="is_new",
        window_days=asof.YEAR_DAYS,
    )


FEATURES = (
    *(feature for entity in ENTITIES for feature in _describe(entity)),
    *(_novelty(entity, what) for entity, what in NOVEL.items()),
)

TABLES = (("found", ()), *((kind, by) for kind in ("declared", "found") for by in ENTITIES.values()))


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query; null where the declaration names no such entity."""
    records = history.described(_record_of, tuple(ENTITIES.values()), ("found", asof.YEAR_DAYS))
    volumes = [records[list(ENTITIES).index(entity)][_YEARS_DECLARATIONS] for entity in NOVEL]
    novel = np.where(np.isnan(volumes), np.nan, np.equal(volumes, 0)).astype(np.float32)
    return frame(FEATURES, [*records, novel])


def _record_of(record: Record, usual: Floats) -> Floats:
    """Return an entity's features, in the order of their names: features x queries."""
    columns: list[Floats] = []

    def add(values: Ints | Floats) -> None:
        columns.append(np.where(record.is_named, values, np.nan).astype(np.float32))

    for window in WINDOWS_DAYS:
        volume, value = record.sums("declared", window).T
        inspected, hits, revenue = record.sums("found", window).T
        inspection_rate = np.where(volume > 0, inspected / np.maximum(volume, 1), np.nan)
        hit_rate = (hits + PRIOR_WEIGHT * usual) / (inspected + PRIOR_WEIGHT)
        for values in (volume, value, inspection_rate, hit_rate, revenue):
            add(values)
    for kind, measure in (("declared", kinds.DECLARATIONS), ("found", kinds.HITS)):
        last = record.last_day(kind, measure, asof.YEAR_DAYS)
        add(np.where(last >= 0, record.history.day.of - last, np.nan))
    return np.stack(columns)

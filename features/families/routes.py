"""How usual this departure and this courier are for the goods of an origin, for the seller and for the importer.

Contraband hides in a crowd: in express parcels, and in what passes through a hub. So it matters whether a departure is
usual for such goods of such an origin, and whether a seller or an importer has sent this way before.

As of: see usual.py.
"""

import numpy as np
import polars as pl

from features.arrays import Floats
from features.facts import asof, kinds
from features.families.feature import Feature, frame
from features.families.groups import group_of
from features.families.sentences import Sentences, Words
from features.families.usual import AS_OF
from features.history import History, Record

NAME = "routes"

# Whose declarations, and the column of which they have the same value or another one.
WAYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("origin_country",), "departure_country"),
    (("hs4", "origin_country"), "departure_country"),
    (("importer_id", "origin_country"), "departure_country"),
    (("seller_id",), "departure_country"),
    (("seller_id",), "courier_id"),
    (("importer_id",), "courier_id"),
)

_SHARE = Sentences(
    Words(
        en="Declarations {of} in {span} come to {share} of those with any {noun}.",
        fr="Au cours {span}, les déclarations {of} représentent {share} de celles où cet élément varie\u00a0: {noun}.",
        zh="{span}，{of}的申报占不限{noun}的同类申报的{share}。",
    ),
    zero=Words(
        en="No declaration {of} in {span}, but there were some with another {noun}.",
        fr="Aucune déclaration {of} au cours {span}, mais il y en a où cet élément diffère\u00a0: {noun}.",
        zh="{span}，没有{of}的申报，但有不同{noun}的同类申报。",
    ),
    none=Words(
        en="How usual the {noun} is cannot be judged: what it is compared by is not declared, or nothing alike was "
        "declared in {span}.",
        fr="Impossible de juger si cet élément est habituel ({noun})\u00a0: la déclaration omet ce qui "
        "est comparé, ou rien de semblable n'a été déclaré au cours {span}.",
        zh="无法判断该{noun}是否常见：申报缺少所比较的内容，或{span}没有同类申报。",
    ),
)

_MEANINGS = {"declarations": "declarations", "share": "share of declarations"}


def name_of(measure: str, whole: tuple[str, ...], column: str) -> str:
    """Return the name of a feature of `WAYS`; `measure` is 'share' or 'declarations'."""
    return f"{measure}_{column}_among_{'_x_'.join(whole)}"


def _describe(measure: str, whole: tuple[str, ...], column: str) -> Feature:
    by, of = (*whole, column), " x ".join(whole)
    return Feature(
        name_of(measure, whole, column),
        NAME,
        "numeric",
        f"{_MEANINGS[measure]} with the same {column} among those with the same {of}, a year",
        AS_OF,
        entity=by,
        measure=measure,
        group=group_of(by),
        sentences=_SHARE if measure == "share" else measure,
        window_days=asof.YEAR_DAYS,
    )


FEATURES = tuple(_describe(measure, *way) for measure in _MEANINGS for way in WAYS)

_ENTITIES: tuple[tuple[str, ...], ...] = tuple(
    dict.fromkeys([*((*whole, column) for whole, column in WAYS), *(whole for whole, _ in WAYS)])
)

TABLES = tuple(("declared", by) for by in _ENTITIES)


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query.

    A share is null where nothing was declared to have a share of, and both are where a column is not declared.
    """
    found = history.described(_volume, _ENTITIES, ("found", asof.YEAR_DAYS))
    volume = {by: of_entity[0] for by, of_entity in zip(_ENTITIES, found, strict=True)}
    parts = np.stack([volume[*whole, column] for whole, column in WAYS])
    wholes = np.stack([volume[whole] for whole, _ in WAYS])
    shares = np.where(wholes > 0, parts / np.maximum(wholes, 1), np.nan).astype(np.float32)
    return frame(FEATURES, [parts, shares])


def _volume(record: Record, usual: Floats) -> Floats:
    """Return how often an entity was declared: one feature x queries."""
    volume = record.sums("declared", asof.YEAR_DAYS)[:, [kinds.DECLARATIONS]].T
    return np.where(record.is_named, volume, np.nan).astype(np.float32)

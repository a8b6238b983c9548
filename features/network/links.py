"""Parties declared together, and what was found: sums by pair and week, which can be added over spans of time.

A row counts from the Monday `week` on (its day since 1970-01-01), the first Monday on which customs knew it.
"""

from functools import cache

import numpy as np
import polars as pl

from features.facts import Known, entity_codes, kinds

# Whom and what an importer is declared with; a relation's number is its place in here. The model looks at those who
# trade; containers and transport documents are for people.
TRADERS = ("declarant", "seller", "courier")
RELATIONS = (*TRADERS, "container", "transport_document")
KEY = ("relation", "importer", "partner")
OF_TRADERS = pl.col("relation") < len(TRADERS)
_MONDAY = 4  # 1970-01-05

SCHEMA = pl.Schema(
    {
        "relation": pl.Int8(),
        "importer": pl.UInt64(),
        "partner": pl.UInt64(),
        "week": pl.Int32(),
        "declared": pl.Int32(),
        "inspected": pl.Int32(),
        "hits": pl.Int32(),
        "first": pl.Int32(),
        "last": pl.Int32(),
        "last_hit": pl.Int32(),
        "value": pl.Int64(),
    }
)

PARTIES = pl.Schema({"node": pl.UInt64(), "role": pl.String(), "identity": pl.String()})

_HIT = pl.col("is_illicit").fill_null(value=False).cast(pl.Int64)
_DAY = pl.when(pl.col("sign") > 0).then("day")  # a fact that takes another back has no day
# What the facts of each frame add to a pair.
_ADDED = {
    "declared": {
        "declared": pl.col("sign"),
        "first": _DAY,
        "last": _DAY,
        "value": kinds.whole("item_value") * pl.col("sign"),
    },
    "found": {
        "inspected": pl.col("is_inspected").cast(pl.Int64) * pl.col("sign"),
        "hits": _HIT * pl.col("sign"),
        "last_hit": pl.when(_HIT > 0).then(_DAY),
    },
}


def next_monday(day: pl.Expr) -> pl.Expr:
    """Return the Monday from which on something counts that is visible from `day` on."""
    return day + (_MONDAY - day) % 7


def last_monday(day: np.ndarray) -> np.ndarray:
    """Return the Monday of a day's week.

    >>> last_monday(np.array([4, 10, 11])).tolist()
    [4, 4, 11]
    """
    return day - (day - _MONDAY) % 7


def node(role: str, identity: pl.Series) -> entity_codes.Hashes:
    """Return the nodes of parties in a role; the node of a null means nothing."""
    return hashed_node(role, identity.hash(1).to_numpy())


def hashed_node(role: str, identity: entity_codes.Hashes) -> entity_codes.Hashes:
    """Return the same as `node` for identities that were already hashed, with seed 1."""
    return entity_codes.mixed([np.full(len(identity), _salt(role)), identity], len(identity))


@cache
def _salt(role: str) -> np.uint64:
    return np.uint64(pl.Series([role]).hash(2)[0])


def parties(known: Known) -> pl.DataFrame:
    """Return whom the declarations of `known` name: `node`, `role` and `identity`, once each, in the order of nodes."""
    found = [
        known.declared.select(identity=f"{role}_id").unique().drop_nulls().with_columns(role=pl.lit(role))
        for role in ("importer", *RELATIONS)
    ]
    named = [rows.with_columns(node=pl.Series(node(rows["role"][0], rows["identity"]))) for rows in found if len(rows)]
    return distinct([pl.DataFrame(schema=PARTIES), *named])


def distinct(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the parties of several spans of time, once each."""
    return pl.concat(part.select(PARTIES.names()) for part in parts).unique("node").sort("node")


def summed(known: Known) -> pl.DataFrame:
    """Return the facts of `known` by pair and week, in the order of `KEY` and week: `SCHEMA`."""
    parts = [pl.DataFrame(schema=SCHEMA)]
    for number, role in enumerate(RELATIONS):
        for frame, added in _ADDED.items():
            rows = known.frame(frame).filter(pl.col(f"{role}_id").is_not_null())
            parts.append(
                rows.select(
                    relation=pl.lit(number, pl.Int8),
                    importer=pl.lit(pl.Series(node("importer", rows["importer_id"]))),
                    partner=pl.lit(pl.Series(node(role, rows[f"{role}_id"]))),
                    week=next_monday(pl.col("enter")),
                    **added,
                )
            )
    return joined(parts)


def joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the links of several spans of time as those of one.

    A part adds nothing to a column that it does not have.
    """
    every = pl.concat(parts, how="diagonal_relaxed").group_by(*KEY, "week")
    days = pl.col("first").min(), pl.col("last", "last_hit").max()
    sums = every.agg(pl.col("declared", "inspected", "hits", "value").sum(), *days).select(SCHEMA.names())
    return sums.cast(dict(SCHEMA)).sort(*KEY, "week")

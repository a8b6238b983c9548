"""Parties declared together, and what was found of it: sums by pair and week, which add up over spans of time.

A row counts from the Monday `week` on (its day since 1970-01-01): the first one on which customs knew it.
"""

import numpy as np
import polars as pl

from features.facts import Known
from features.numbering import Hashes, mixed

# Whom an importer is declared with; the place in here is the relation's number.
RELATIONS = ("declarant", "seller", "courier")
KEY = ("relation", "importer", "partner")
_MONDAY = 4  # 1970-01-05

SCHEMA = pl.Schema(
    {
        "relation": pl.Int8(),
        "importer": pl.UInt64(),
        "partner": pl.UInt64(),
        "week": pl.Int64(),
        "declared": pl.Int64(),
        "inspected": pl.Int64(),
        "hits": pl.Int64(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "last_hit": pl.Int64(),
    }
)
_SUMS, _WHEN = ("declared", "inspected", "hits"), ("first", "last", "last_hit")


def next_monday(day: pl.Expr) -> pl.Expr:
    """The Monday on which what is visible from `day` on first counts."""
    return day + (_MONDAY - day) % 7


def last_monday(day: np.ndarray) -> np.ndarray:
    """The Monday of a day's week.

    >>> last_monday(np.array([4, 10, 11])).tolist()
    [4, 4, 11]
    """
    return day - (day - _MONDAY) % 7


def node(role: str, identity: pl.Series) -> Hashes:
    """Nodes of parties in a role; a null's means nothing."""
    salt = pl.Series([role]).hash(2).to_numpy()
    return mixed([np.repeat(salt, len(identity)), identity.hash(1).to_numpy()], len(identity))


def links(known: Known) -> pl.DataFrame:
    """The facts of `known` by pair and week, in the order of `KEY` and week: `SCHEMA`."""
    parts = [pl.DataFrame(schema=SCHEMA)]
    for number, role in enumerate(RELATIONS):
        for frame, sums in (
            (known.declared, {"declared": pl.col("sign"), "first": _when("day"), "last": _when("day")}),
            (
                known.found,
                {
                    "inspected": pl.col("is_inspected").cast(pl.Int64) * pl.col("sign"),
                    "hits": _HIT * pl.col("sign"),
                    "last_hit": pl.when(_HIT > 0).then(_when("day")),
                },
            ),
        ):
            rows = frame.filter(pl.col(f"{role}_id").is_not_null())
            given = rows.select(week=next_monday(pl.col("enter")), **sums).with_columns(
                relation=pl.lit(number, pl.Int8),
                importer=pl.Series(node("importer", rows["importer_id"])),
                partner=pl.Series(node(role, rows[f"{role}_id"])),
            )
            absent = {name: pl.lit(0 if name in _SUMS else None, pl.Int64) for name in (*_SUMS, *_WHEN)}
            parts.append(
                given.with_columns(**{n: e for n, e in absent.items() if n not in sums}).select(SCHEMA.names())
            )
    return joined(parts)


def joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Links of several spans of time as those of one."""
    every = pl.concat(parts).group_by(*KEY, "week")
    return (
        every.agg(pl.col(_SUMS).sum(), pl.col("first").min(), pl.col("last", "last_hit").max())
        .select(SCHEMA.names())
        .sort(*KEY, "week")
    )


_HIT = pl.col("is_illicit").fill_null(value=False).cast(pl.Int64)


def _when(day: str) -> pl.Expr:
    """A day of a fact that comes in; what takes one back has none."""
    return pl.when(pl.col("sign") > 0).then(day)
